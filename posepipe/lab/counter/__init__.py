"""The counting network: data, training, measuring."""
