"""From a person's track to their movement: sides, gaps, 3D, smoothing, angles, heading."""
