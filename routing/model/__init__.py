"""Immutable inputs of the routing engines: frozen dataclasses over NumPy arrays."""
