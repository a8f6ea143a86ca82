"""Who is who over time, and whom to analyse."""
