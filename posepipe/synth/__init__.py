"""Synthetic people with exact truth."""
