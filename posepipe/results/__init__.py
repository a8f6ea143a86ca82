"""The results folder: tables, summary, report."""
