"""One folder that runs on a small board, a phone or a browser: pixels in, exercise and gait out."""
