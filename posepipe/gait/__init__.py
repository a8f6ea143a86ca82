"""Gait: events, parameters, deviation, abnormality."""
