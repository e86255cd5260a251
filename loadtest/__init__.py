"""Benchmarks and load scenarios: each prints a table and stores what it measured, so that anybody can check it."""
