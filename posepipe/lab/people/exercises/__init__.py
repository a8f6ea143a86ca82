"""Synthetic exercises with exact repetitions."""
