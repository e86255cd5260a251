"""Elevation models as tiles in the format of the Shuttle Radar Topography Mission (``.hgt``), mapped, sampled with NumPy.

A tile covers one degree by one degree and is named after its south-west corner. It is a square of big-endian int16 metres,
from the north-west corner row by row, 3601 a side for cells of 1″ and 1201 for 3″; its border belongs to its neighbours too,
and −32768 is a void (Farr et al., The Shuttle Radar Topography Mission, 2007, https://doi.org/10.1029/2005RG000183). A file
is mapped, so that memory holds no more of it than is looked at.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.city.errors import CityInputError

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]

SIDES = {2 * 3601 * 3601: 3601, 2 * 1201 * 1201: 1201}
"""Cells a side by size of the file in bytes."""

VOID = -32768
LOWEST_M, HIGHEST_M = -500, 9000
"""The Dead Sea's shore lies at −430 m, Everest's summit at 8849 m."""

_NAME = re.compile(r"([NS])(\d{2})([EW])(\d{3})")
_ROWS_AT_ONCE = 256
_KNOWN_SHARE = 0.5
"""A height is known if at least this much of the weight around it is."""


@dataclass(frozen=True)
class Tile:
    """One tile; `heights` is int16[side, side], mapped; `south` and `west` are whole degrees."""

    path: Path
    south: int
    west: int
    heights: npt.NDArray[np.int16]

    @property
    def cell_deg(self) -> float:
        """Degrees between two heights."""
        return 1.0 / (len(self.heights) - 1)


def corner_of(name: str) -> tuple[int, int] | None:
    """South-west corner (lat, lon) of a tile by its name without suffix, such as ``N41W009``; None if it is no such name."""
    found = _NAME.fullmatch(name.upper())
    if found is None:
        return None
    south, west = int(found[2]) * (1 if found[1] == "N" else -1), int(found[4]) * (1 if found[3] == "E" else -1)
    return (south, west) if -90 <= south < 90 and -180 <= west < 180 else None


def tile_name(south: int, west: int) -> str:
    """Name of the tile with a south-west corner in whole degrees."""
    return f"{'N' if south >= 0 else 'S'}{abs(south):02d}{'E' if west >= 0 else 'W'}{abs(west):03d}"


def open_tile(path: Path, name: str = "") -> Tile:
    """Map a tile and look at all its heights once, some hundred rows at a time; `name` stands for a file named otherwise.

    Raises
    ------
    CityInputError
        If its name says no place, its size is none of a tile, or a height is none on Earth.
    """
    corner = corner_of(Path(name).stem if name else path.stem)
    if corner is None:
        raise CityInputError(
            f"{path}: the name of an elevation tile is that of its south-west corner, such as N41W009.hgt: rename the file"
        )
    try:
        size = path.stat().st_size
        if size not in SIDES:
            wanted = " or ".join(f'{bytes_:,} (cells of {3600 // (side - 1)}")' for bytes_, side in SIDES.items())
            raise CityInputError(f"{path}: has {size:,} bytes, an elevation tile has {wanted}: unpack it, or fetch it again")
        heights = np.memmap(path, ">i2", "r", shape=(SIDES[size], SIDES[size])).view(np.ndarray)
    except OSError as error:
        raise CityInputError(f"{path}: cannot be read ({error})") from error
    for row in range(0, len(heights), _ROWS_AT_ONCE):
        block = heights[row : row + _ROWS_AT_ONCE]
        wrong = np.argwhere((block != VOID) & ((block < LOWEST_M) | (block > HIGHEST_M)))
        if len(wrong):
            down, across = (int(value) for value in wrong[0])
            raise CityInputError(
                f"{path}: row {row + down}, column {across} holds {block[down, across]} m, heights are {LOWEST_M} to "
                f"{HIGHEST_M} m: the file is damaged, or its bytes stand in the wrong order"
            )
    return Tile(path, *corner, heights)


class ElevationModel:
    """Heights from tiles; where tiles overlap, the earlier one counts and later ones fill its voids."""

    def __init__(self, tiles: Sequence[Tile]) -> None:
        self.tiles = tuple(tiles)

    def heights_m(self, lat_deg: Float64, lon_deg: Float64, *, smooth: bool = True) -> Float32:
        """Heights at positions (float32[k], NaN where none is known); O(k).

        Bilinear between the four heights around a position. `smooth` takes the mean over the cells around (weights 1, 2, 1 both
        ways): heights from radar waver by metres from cell to cell, which would make hills of level streets; planes stay as
        they are.
        """
        found = np.full(len(lat_deg), np.nan, np.float32)
        for tile in self.tiles:
            rows = np.flatnonzero(np.isnan(found) & _inside(tile, lat_deg, lon_deg))
            if len(rows):
                lat, lon = lat_deg[rows], lon_deg[rows]
                found[rows] = self._mean(lat, lon, tile.cell_deg) if smooth else self._bilinear(lat, lon)
        return found

    def _mean(self, lat: Float64, lon: Float64, cell_deg: float) -> Float32:
        total, weight = np.zeros(len(lat)), np.zeros(len(lat))
        for north in (-1, 0, 1):
            for east in (-1, 0, 1):
                share = (2 - abs(north)) * (2 - abs(east)) / 16.0
                near = self._bilinear(lat + north * cell_deg, lon + east * cell_deg)
                known = ~np.isnan(near)
                total[known] += share * near[known]
                weight[known] += share
        return _quotient(total, weight)

    def _bilinear(self, lat: Float64, lon: Float64) -> Float32:
        found = np.full(len(lat), np.nan, np.float32)
        for tile in self.tiles:
            rows = np.flatnonzero(np.isnan(found) & _inside(tile, lat, lon))
            if len(rows):
                found[rows] = _bilinear(tile, lat[rows], lon[rows])
        return found


def _inside(tile: Tile, lat: Float64, lon: Float64) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = (lat >= tile.south) & (lat <= tile.south + 1) & (lon >= tile.west) & (lon <= tile.west + 1)
    return inside


def _bilinear(tile: Tile, lat: Float64, lon: Float64) -> Float32:
    last = len(tile.heights) - 1
    down, across = (tile.south + 1 - lat) * last, (lon - tile.west) * last
    row, column = (np.clip(np.floor(value).astype(np.int64), 0, last - 1) for value in (down, across))
    below, right = down - row, across - column
    total, weight = np.zeros(len(lat)), np.zeros(len(lat))
    for r, c, share in (
        (0, 0, (1 - below) * (1 - right)), (0, 1, (1 - below) * right), (1, 0, below * (1 - right)), (1, 1, below * right),
    ):  # fmt: skip
        height = tile.heights[row + r, column + c]
        known = height != VOID
        total += np.where(known, share * height, 0.0)
        weight += np.where(known, share, 0.0)
    return _quotient(total, weight)


def _quotient(total: Float64, weight: Float64) -> Float32:
    found = np.full(len(total), np.nan, np.float32)
    known = weight >= _KNOWN_SHARE
    found[known] = total[known] / weight[known]
    return found
