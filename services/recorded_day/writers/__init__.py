"""Feed files in the real formats, one writer per standard; every file says that it is simulated."""

NOTE = "simulated: recorded day of Traboule, no real observation"
"""Stands in every file, in the place its format has for it."""
