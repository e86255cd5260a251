"""Elevation in a city: declared, built, told about, fetched."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from services.city.add import UpdatedFile, update_city
from services.city.build import build_snapshot
from services.city.config import read_city
from services.city.errors import CityConfigError, CityInputError
from services.city.snapshot import open_snapshot
from services.city.steps import STEPS
from tests.builders.cities import draw_city
from tests.builders.city_sources import CitySources, serve_sources
from tests.builders.hills import slope, write_tile

BOX = "\n[bbox]\nsouth = 41.1\nwest = -8.7\nnorth = 41.2\neast = -8.5\n"
HILL = slope(north=3600.0, base=300.0)


def draw(folder: Path, toml: str) -> Path:
    """Draw a city with some more lines in its declaration."""
    city = draw_city(folder)
    with (city / "city.toml").open("a") as file:
        file.write(toml)
    return city


def build(folder: Path, home: Path) -> tuple[str, ...]:
    """Build the streets only and answer the warnings."""
    return build_snapshot(read_city(folder), home, steps=STEPS[:2], warm=False).manifest.warnings


@pytest.mark.parametrize("entry", ['file = "N41W009.hgt"', 'folder = "srtm"'])
def test_streets_lie_on_the_declared_model(tmp_path: Path, entry: str) -> None:
    """A file or a folder of tiles gives the streets their heights; the tile is an input of the snapshot."""
    city = draw(tmp_path / "drawn", f'{BOX}\n[[elevation]]\n{entry}\nlicence = "public domain"\n')
    write_tile(city / "srtm" if "folder" in entry else city, "N41W009", HILL)
    write_tile(city / "srtm", "N50E007", HILL)  # of another city: left alone
    assert not [warning for warning in build(city, tmp_path / "home") if "elevation" in warning]
    snapshot = open_snapshot(tmp_path / "home", "drawn")
    heights = snapshot.street.heights
    assert heights is not None
    expected = HILL(snapshot.street.node_lat_e7 * 1e-7, np.zeros(1))
    assert heights.node_height_m.tolist() == pytest.approx(expected.tolist(), abs=0.6)
    assert [item.file for item in snapshot.manifest.inputs if item.role == "elevation"] == [
        entry.split('"')[1] + ("/N41W009.hgt" if "folder" in entry else "")
    ]


def test_streets_beyond_the_tiles_are_told(tmp_path: Path) -> None:
    """A tile of the sea next door builds, with a warning and no height."""
    city = draw(tmp_path / "drawn", '\n[[elevation]]\nfile = "N41W010.hgt"\n')
    write_tile(city, "N41W010", HILL)
    warnings = build(city, tmp_path / "home")
    assert "elevation: 5 street nodes have no height: a tile is missing or void there" in warnings


@pytest.mark.parametrize(
    ("toml", "error", "message"),
    [
        ("", CityConfigError, r"elevation\[0\]\.file: give either the `file` of one tile or the `folder`"),
        ('file = "a"\nfolder = "b"', CityConfigError, "give either"),
        ('folder = "b"\nurl = "https://example.org/N41W009.hgt"', CityConfigError, r"names no tile: write \{tile\}"),
        ('file = "a"\nurl = "ftp://example.org"', CityConfigError, "must start with https"),
        ('folder = "b"\nsha256 = "00"', CityConfigError, "64 hexadecimal digits, and of one `file`"),
        ('file = "N41W009.hgt"', CityInputError, "the file N41W009.hgt was not found"),
        ('folder = "b"', CityInputError, r"the folder b was not found: N41W009\.hgt; put them there, or give their url"),
    ],
)
def test_wrong_declarations(tmp_path: Path, toml: str, error: type[Exception], message: str) -> None:
    """Each says which key is wrong and what to do."""
    city = draw(tmp_path / "drawn", f"{BOX}\n[[elevation]]\n{toml}\n")
    with pytest.raises(error, match=message):
        build(city, tmp_path / "home")


class TileSources(CitySources):
    """A server of tiles: ``/skadi/N41/N41W009.hgt.gz``, and things that are none."""

    def answer(self, path: str, if_none_match: str) -> tuple[int, str, bytes]:
        """Answer like an object store."""
        bodies = {"/skadi/N41/N41W009.hgt.gz": self.gtfs, "/short": gzip.compress(b"\0" * 999), "/cut": self.gtfs[:-999]}
        return (200, "application/gzip", bodies[path]) if path in bodies else super().answer(path, if_none_match)


def test_tiles_are_fetched_unpacked_and_looked_at(tmp_path: Path) -> None:
    """A good tile replaces the old one, whatever is no tile does not; every outcome is told."""
    packed = gzip.compress(write_tile(tmp_path, "N41W009", HILL).read_bytes(), 1)
    with serve_sources(TileSources(b"", packed)) as sources:
        entries = {
            'folder = "srtm"': "/skadi/{row}/{tile}.hgt.gz",
            'file = "N41W009.hgt"': "/short",
            'file = "N42W009.hgt"': "/cut",
            'file = "N43W009.hgt"': "/nothing",
        }
        toml = "".join(f'\n[[elevation]]\n{entry}\nurl = "{sources.url}{path}"\n' for entry, path in entries.items())
        city = draw(tmp_path / "drawn", BOX + toml + '\n[[elevation]]\nfile = "own.hgt"\n')
        done = {row.file: row.outcome for row in update_city(city, elevation=True)}
    assert done["srtm/N41W009.hgt"] == "updated"
    assert (city / "srtm/N41W009.hgt").stat().st_size == 2 * 1201 * 1201
    assert "has 999 bytes, an elevation tile has" in done["N41W009.hgt"]
    assert "cannot be unpacked" in done["N42W009.hgt"]
    assert "answered 404" in done["N43W009.hgt"]
    assert done["own.hgt"] == "has no url in city.toml"
    assert sorted(path.name for path in city.glob("**/*.hgt")) == ["N41W009.hgt"]
    assert not list(city.glob("**/*.part"))


def test_without_the_flag_elevation_is_left_alone(tmp_path: Path) -> None:
    """Tiles do not change; timetables do."""
    city = draw(tmp_path / "drawn", '\n[[elevation]]\nfile = "N41W009.hgt"\n')
    assert update_city(city) == [UpdatedFile("bus.zip", "has no url in city.toml")]
