"""Elevation tiles drawn by a formula, as files in the format of the Shuttle Radar Topography Mission."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from services.city.elevation_tiles import corner_of

Land = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Metres above the sea at latitudes and longitudes (degrees)."""


def write_tile(folder: Path, name: str, land: Land, side: int = 1201) -> Path:
    """Write the tile `name` (such as ``N41W009``) of a land."""
    corner = corner_of(name)
    assert corner is not None
    steps = np.arange(side) / (side - 1)
    heights = land(corner[0] + 1 - steps[:, None], corner[1] + steps[None, :])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.hgt"
    np.broadcast_to(np.rint(heights), (side, side)).astype(">i2").tofile(path)
    return path


def slope(north: float = 0.0, east: float = 0.0, base: float = 3000.0, lat: float = 41.15, lon: float = -8.61) -> Land:
    """A plane through `base` metres at a position, rising some metres per degree."""
    return lambda lats, lons: base + north * (lats - lat) + east * (lons - lon)
