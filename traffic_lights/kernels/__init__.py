"""Compiled inner loops: arrays and scalars only."""
