"""Gait: walks to learn from, norms, training, measuring."""
