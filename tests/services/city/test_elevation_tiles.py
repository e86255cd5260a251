"""Elevation tiles: heights of drawn lands at any position, over borders and voids; files that are none are refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.city.elevation_tiles import VOID, ElevationModel, Tile, corner_of, open_tile, tile_name
from services.city.errors import CityInputError
from tests.builders.hills import slope, write_tile

HILL = slope(north=1200.0, east=-2400.0)
"""Whole metres on every cell of 3″."""


def heights(model: ElevationModel, *positions: tuple[float, float], smooth: bool = True) -> list[float]:
    """Heights at positions."""
    lat, lon = np.array(positions).T
    return [round(float(value), 2) for value in model.heights_m(lat, lon, smooth=smooth)]


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> ElevationModel:
    """Four tiles of a plane, two of 3″ and two of 1″."""
    folder = tmp_path_factory.mktemp("tiles")
    sides = {"N41W009": 1201, "N41W010": 1201, "N42W009": 3601, "N42W010": 3601}
    return ElevationModel([open_tile(write_tile(folder, name, HILL, side)) for name, side in sides.items()])


@settings(max_examples=200, deadline=None)
@given(st.floats(41.02, 42.98), st.floats(-9.98, -8.02), st.booleans())
def test_a_plane_is_found_everywhere(tiles: ElevationModel, lat: float, lon: float, smooth: bool) -> None:
    """Between cells, on borders between tiles and at corners, smoothed or not: within the rounding to whole metres."""
    expected = float(HILL(np.array(lat), np.array(lon)))
    assert heights(tiles, (lat, lon), smooth=smooth) == [pytest.approx(expected, abs=0.6)]


def test_borders_have_one_height(tiles: ElevationModel) -> None:
    """The common border of two tiles gives what either says, and a hand's breadth beside it the same."""
    at, beside = heights(tiles, (42.0, -9.0), (42.0 + 1e-9, -9.0 - 1e-9))
    assert beside == pytest.approx(at, abs=0.1)
    assert at == pytest.approx(3000 + 1200 * 0.85 + 2400 * 0.39, abs=0.6)


def test_bilinear_between_four_heights() -> None:
    """The middle of a cell is the mean of its corners, a quarter along an edge a quarter of its ends."""
    grid = np.zeros((1201, 1201), np.int16)
    grid[600:602, 600:602] = [[0, 10], [20, 30]]
    model = ElevationModel([Tile(Path("drawn"), 41, -9, grid)])
    cell = 1 / 1200
    middle, edge = (41.5 - cell / 2, -8.5 + cell / 2), (41.5, -8.5 + cell / 4)
    assert heights(model, middle, edge, smooth=False) == [15.0, 2.5]


def test_voids_are_filled_only_where_most_is_known(tmp_path: Path) -> None:
    """A lone void takes the height around it; the middle of a wide one is not known; nothing lies outside."""
    path = write_tile(tmp_path, "N41W009", slope(base=100.0))
    grid = np.fromfile(path, ">i2").reshape(1201, 1201)
    grid[600, 600] = VOID
    grid[300:320, 300:320] = VOID
    grid.tofile(path)
    model = ElevationModel([open_tile(path)])
    lone, wide, sea = (41.5, -8.5), (42 - 310 / 1200, -9 + 310 / 1200), (40.0, -8.5)
    assert heights(model, lone) == [100.0]
    assert np.isnan(heights(model, wide, sea)).all()


def test_a_second_tile_fills_the_voids_of_the_first(tmp_path: Path) -> None:
    """Where the fine tile is void the coarse one answers."""
    fine = open_tile(write_tile(tmp_path / "a", "S01E000", lambda lat, lon: np.where(lon < 0.5, VOID, 7.0) + 0 * lat, 3601))
    coarse = open_tile(write_tile(tmp_path / "b", "S01E000", lambda lat, lon: 9.0 + 0 * (lat + lon)))
    assert heights(ElevationModel([fine, coarse]), (-0.5, 0.25), (-0.5, 0.75)) == [9.0, 7.0]


@pytest.mark.parametrize(
    ("name", "corner"),
    [
        ("N41W009", (41, -9)),
        ("S01E000", (-1, 0)),
        ("s90w180", (-90, -180)),
        ("N90E000", None),
        ("N41W9", None),
        ("41N009W", None),
    ],
)
def test_names(name: str, corner: tuple[int, int] | None) -> None:
    """Names say the south-west corner."""
    assert corner_of(name) == corner
    assert corner is None or tile_name(*corner) == name.upper()


def test_what_is_no_tile_is_refused(tmp_path: Path) -> None:
    """Wrong names, sizes, byte orders and missing files are named with what to do."""
    good = write_tile(tmp_path, "N41W009", slope(base=100.0))
    other = good.rename(tmp_path / "porto.hgt")
    with pytest.raises(CityInputError, match=r"porto\.hgt: the name of an elevation tile .* rename the file"):
        open_tile(other)
    short = tmp_path / "N41W009.hgt"
    short.write_bytes(other.read_bytes()[:-2])
    with pytest.raises(CityInputError, match=r'2,884,800 bytes, an elevation tile has 25,934,402 \(cells of 1"\) or 2,884,802'):
        open_tile(short)
    np.fromfile(other, "<i2").astype(">i2").tofile(short)  # 100 becomes 25600
    with pytest.raises(CityInputError, match=r"row 0, column 0 holds 25600 m, .* its bytes stand in the wrong order"):
        open_tile(short)
    with pytest.raises(CityInputError, match="cannot be read"):
        open_tile(tmp_path / "N42W009.hgt")
