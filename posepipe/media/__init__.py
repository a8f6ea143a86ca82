"""Frames in, videos out, drawing."""
