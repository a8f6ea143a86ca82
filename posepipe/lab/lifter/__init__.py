"""The lifter: data, training, measuring."""
