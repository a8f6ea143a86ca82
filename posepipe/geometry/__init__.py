"""Cameras, rays, rotations, Procrustes."""
