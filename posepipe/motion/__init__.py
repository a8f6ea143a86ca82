"""Smoothing, gaps, left/right repair, joint angles."""
