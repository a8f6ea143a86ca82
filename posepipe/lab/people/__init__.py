"""Synthetic people with exact truth: bodies, movement, cameras, a renderer."""
