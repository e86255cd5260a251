"""Compiled kernels: arrays and scalars only, every one tested against a naive reference."""
