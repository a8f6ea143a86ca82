"""Pages about a recording, as HTML and PDF."""
