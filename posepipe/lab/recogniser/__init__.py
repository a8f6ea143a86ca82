"""Recognition of exercises: data, training, measuring."""
