"""Where the real data lie that the repository does not carry."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"


def shared(relative: str) -> Path:
    """Path of a shared data file or folder; the calling test is skipped, saying why, where it is absent."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"needs the data file {relative} beside the checkout (see docs/operating.md)")
    return path


def porto(relative: str) -> Path:
    """Path of a file of the embedded city (always present)."""
    return ROOT / "cities" / "porto" / relative
