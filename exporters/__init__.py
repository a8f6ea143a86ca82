"""Torch networks to files that run without torch."""
