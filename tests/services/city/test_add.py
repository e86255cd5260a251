"""Adding a city by name and updating its files, against a local server that answers as the public ones do."""

import datetime
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.city.add import add_city, update_city
from services.city.build import build_snapshot
from services.city.config import read_city
from services.city.download import fetch
from services.city.errors import CityDownloadError, CityError
from services.city.overpass import Sources
from services.city.snapshot import open_snapshot
from tests.builders.cities import CITY_TOML, GTFS, draw_city, osm_xml
from tests.builders.city_sources import CitySources, serve_sources

TODAY = datetime.date(2026, 7, 23)


def gtfs_bytes(**changed: str) -> bytes:
    """The drawn timetable as a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in (GTFS | {f"{key}.txt": text for key, text in changed.items()}).items():
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.fixture
def web() -> Iterator[CitySources]:
    """The local server."""
    with serve_sources(CitySources(osm_xml().encode(), gtfs_bytes())) as sources:
        yield sources


def servers(web: CitySources) -> Sources:
    """Where to ask."""
    return Sources(f"{web.url}/nominatim/", f"{web.url}/overpass")


def test_city_is_added_and_built(tmp_path: Path, web: CitySources) -> None:
    """From a name and a URL to a snapshot, turn restriction included."""
    folder = add_city("Vilar, Portugal", tmp_path, [f"{web.url}/feed.zip"], sources=servers(web), today=TODAY)
    city = read_city(folder)
    assert (folder.name, city.title, city.country, city.timezone, city.languages) == (
        "vilar",
        "Vilar",
        "PT",
        "Europe/Lisbon",
        ("pt", "en"),
    )
    assert city.reference_date == datetime.date(2026, 7, 28)
    assert "relation[type=restriction]" in web.queries[0]
    assert "[bbox:41.14,-8.63,41.16,-8.61]" in web.queries[0]
    build_snapshot(city, tmp_path / "home", warm=False)
    snapshot = open_snapshot(tmp_path / "home", "vilar")
    assert snapshot.manifest.counts["turn_restrictions"] == 1
    assert snapshot.manifest.counts["trips"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "vilar"]


@pytest.mark.parametrize("broken", ["osm", "empty", "gtfs", "missing", "exists", "timezone", "unknown", "country"])
def test_failed_addition_leaves_nothing(tmp_path: Path, web: CitySources, broken: str) -> None:
    """Whatever fails, there is a sentence about it and no half-made city."""
    urls = [f"{web.url}/feed.zip"]
    expected = {
        "osm": "no OSM data", "empty": "no street at all", "gtfs": "zip", "missing": "answered 404", "exists": "exists already",
        "timezone": "time zone", "unknown": "no place called", "country": "name a town",
    }[broken]  # fmt: skip
    if broken == "osm":
        web.osm = b"runtime error: Query timed out"
    elif broken == "empty":
        web.osm = b'<osm version="0.6"></osm>'
    elif broken == "gtfs":
        urls = [f"{web.url}/html"]
    elif broken == "missing":
        urls = [f"{web.url}/nothing.zip"]
    elif broken == "exists":
        (tmp_path / "vilar").mkdir()
    elif broken == "timezone":
        urls = []
    elif broken == "unknown":
        web.place = []
    else:
        coordinates = [[[-9.0, 37.0], [-6.0, 37.0], [-6.0, 42.0], [-9.0, 42.0], [-9.0, 37.0]]]
        web.place[0]["geojson"] = {"type": "Polygon", "coordinates": coordinates}
        web.place[0]["boundingbox"] = ["37", "42", "-9", "-6"]
    with pytest.raises(CityError, match=expected):
        add_city("Vilar, Portugal", tmp_path, urls, sources=servers(web), today=TODAY)
    assert [path.name for path in tmp_path.iterdir()] == (["vilar"] if broken == "exists" else [])


def test_update_replaces_only_what_is_good(tmp_path: Path, web: CitySources) -> None:
    """New, unchanged (ETag), broken, gone: each said; a broken file never replaces a good one."""
    city = draw_city(
        tmp_path / "drawn", CITY_TOML.replace('file = "bus.zip"', f'file = "bus.zip"\nurl = "{web.url}/dataset/horarios"')
    )
    old = (city / "bus.zip").read_bytes()
    assert [(done.file, done.outcome) for done in update_city(city)] == [("bus.zip", "updated")]
    assert (city / "bus.zip").read_bytes() == web.gtfs != old
    assert update_city(city)[0].outcome == "unchanged"
    good, web.gtfs, web.etag = web.gtfs, gtfs_bytes(stop_times="trip_id\n"), '"2"'
    assert "stop_times" in update_city(city)[0].outcome
    assert (city / "bus.zip").read_bytes() == good
    (city / "city.toml").write_text((city / "city.toml").read_text().replace("/dataset/horarios", "/dataset/gone"))
    assert "404" in update_city(city)[0].outcome
    assert sorted(path.name for path in city.iterdir()) == ["bus.zip", "bus.zip.etag", "city.toml", "drawn.osm"]


def test_zones_are_updated_too(tmp_path: Path, web: CitySources) -> None:
    """A file that can be read replaces the old one; a broken one does not, and what is wrong is said."""
    zone = f'\n[[zones]]\nid = "z"\nfile = "zfe.geojson"\nurl = "{web.url}/zfe.geojson"\n'
    city = draw_city(tmp_path / "drawn", CITY_TOML + zone)
    ring = [[-8.62, 41.15], [-8.61, 41.15], [-8.61, 41.16]]
    properties = {"id": "z", "date_debut": "2026-01-01", "vp_critair": "V4"}
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}
    web.zones = json.dumps({"features": [feature]}).encode()
    assert update_city(city)[1].outcome == "updated"
    assert (city / "zfe.geojson").read_bytes() == web.zones
    good = web.zones
    for broken, words in ((b"<html>", "no GeoJSON"), (b'{"features": []}', "there is none")):
        web.zones = broken
        assert words in update_city(city)[1].outcome
    assert (city / "zfe.geojson").read_bytes() == good
    (city / "city.toml").write_text(CITY_TOML + zone.replace("url =", "licence ="), encoding="utf-8")
    assert "no url" in update_city(city)[1].outcome


def test_shifted_calendar_is_remembered(tmp_path: Path, web: CitySources) -> None:
    """After an update the shift in city.toml may be wrong: it is said."""
    toml = CITY_TOML.replace(
        'file = "bus.zip"', f'file = "bus.zip"\nurl = "{web.url}/feed.zip"\nshift_days = 7\nshift_reason = "test"'
    )
    assert "remove that if it overlaps" in update_city(draw_city(tmp_path / "drawn", toml))[0].outcome


def test_downloads_have_limits(tmp_path: Path, web: CitySources) -> None:
    """Too much is refused while it arrives; a dead server is said; the old file stays."""
    target = tmp_path / "file.zip"
    target.write_bytes(b"old")
    with pytest.raises(CityDownloadError, match="sends more than"):
        fetch(f"{web.url}/feed.zip", target, max_bytes=100)
    with pytest.raises(CityDownloadError, match="is there internet"):
        fetch("http://127.0.0.1:9/x.zip", target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.zip"]
