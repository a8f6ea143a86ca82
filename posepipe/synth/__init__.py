"""Synthetic people with exact truth: bodies, motions, cameras and a renderer."""
