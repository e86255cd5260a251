"""The ``traboule`` command."""

from services.cli.root import main

__all__ = ["main"]
