"""Drawn test data."""
