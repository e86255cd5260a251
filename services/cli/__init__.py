"""The ``traboule`` command."""

import os
from pathlib import Path

# Before anything imports Numba, which reads it once: its own choice would be beside the sources.
os.environ.setdefault(
    "NUMBA_CACHE_DIR", str(Path(os.environ.get("TRABOULE_HOME", ".traboule")).expanduser().absolute() / "cache" / "numba")
)

from services.cli.root import main

__all__ = ["main"]
