"""What an analysis found, and its way to and from a folder."""
