"""2D keypoints to 3D pose with sigma."""
