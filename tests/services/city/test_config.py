"""`city.toml`: what is right is read, and each wrong entry is named with file, key, value and remedy."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from services.city.config import CityConfig, list_cities, parse_city, read_city
from services.city.errors import CityConfigError, CityInputError
from tests.builders.cities import CITY_TOML
from tests.builders.shared_data import ROOT

WHOLE = (
    CITY_TOML
    + """
[[feeds]]
id = "live"
kind = "gtfs-rt"
url = "https://example.org/rt"
static_feed = "bus"

[[car_parks]]
id = "p1"
name = "P1"
lat = 41.15
lon = -8.6
capacity = 100
feed = "live"
feed_entity = "p1"

[demand]
vehicles_per_hour = 900
"""
)


def parse(text: str) -> CityConfig:
    """Parse as if from a file."""
    return parse_city(text, Path("cities/drawn/city.toml"))


def test_whole_file_is_read() -> None:
    """All tables arrive, with defaults where nothing is said."""
    city = parse(WHOLE)
    assert (city.name, city.languages, city.gtfs[0].shift_days, city.feeds[0].poll_s) == ("drawn", ("pt",), 0, 30)
    assert city.car_parks[0].capacity_assumed
    assert city.find_feed("live") is city.feeds[0]
    assert city.find_feed("other") is None


@dataclass(frozen=True)
class Demand:
    """What another part of the program declares."""

    vehicles_per_hour: int


def test_tables_of_other_parts_are_as_strict() -> None:
    """`table` reads into the dataclass of the part that owns it, with the same errors."""
    assert parse(WHOLE).table("demand", Demand) == Demand(900)
    with pytest.raises(CityConfigError, match=r"demand\.vehicles_per_hour: must be a whole number"):
        parse(WHOLE.replace("= 900", '= "many"')).table("demand", Demand)
    with pytest.raises(CityConfigError, match="did you mean `vehicles_per_hour`"):
        parse(WHOLE.replace("vehicles_per_hour", "vehicle_per_hour")).table("demand", Demand)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Drawn"', "", "city.toml: title: is missing: add `title = …`"),
        ('title = "Drawn"', "title = 3", "title: must be text in quotes, not 3"),
        ("[[gtfs]]", "[[gtsf]]", "gtsf: unknown key; did you mean `gtfs`?"),
        ('file = "bus.zip"', 'fiel = "bus.zip"', "gtfs[0].fiel: unknown key; did you mean `file`?"),
        ('file = "bus.zip"', 'file = "bus.zip"\nshift_days = 3', "gtfs[0].shift_days: 3 is not a whole number of weeks: use 0"),
        ('file = "bus.zip"', 'file = "bus.zip"\nshift_days = 7', "gtfs[0].shift_reason: is missing: say why"),
        ('file = "bus.zip"', 'file = "bus.zip"\nurl = "ftp://x"', "gtfs[0].url: 'ftp://x' must start with https://"),
        ('file = "bus.zip"', 'file = "bus.zip"\nsha256 = "12"', "gtfs[0].sha256: '12' must be 64 hexadecimal digits"),
        ('timezone = "Europe/Lisbon"', 'timezone = "Europe/Porto"', "timezone: 'Europe/Porto' is not a time zone"),
        ('country = "PT"', 'country = "Portugal"', "country: 'Portugal' must be a two-letter country code"),
        ('languages = ["pt"]', 'languages = ["portuguese"]', "languages[0]: 'portuguese' must be a two-letter"),
        ('languages = ["pt"]', 'languages = "pt"', "languages: must be a list, not 'pt'"),
        ("2026-07-28", '"2026-07-28"', "reference_date: must be a date without quotes"),
        ('name = "drawn"', 'name = "Dr awn"', "name: 'Dr awn' must be 1 to 64 of a-z"),
        ('kind = "gtfs-rt"', 'kind = "gtfsrt"', "feeds[0].kind: 'gtfsrt' is not possible; did you mean 'gtfs-rt'?"),
        ('static_feed = "bus"', 'static_feed = "tram"', "feeds[0].static_feed: 'tram' is not the id of any [[gtfs]] (bus)"),
        ('url = "https://example.org/rt"', "", "feeds[0].url: is missing: give the `url` of the live source"),
        ('static_feed = "bus"', "poll_s = 0", "feeds[0].poll_s: 0 is not between 1 and 86400"),
        ('static_feed = "bus"', "poll_s = 400", "feeds[0].stale_after_s: 300 is shorter than poll_s = 400"),
        ("lat = 41.15", "lat = 141.15", "car_parks[0].lat: 141.15 is not between -90 and 90"),
        ("lon = -8.6", "", "car_parks[0].lon: is missing: a position needs both"),
        ("capacity = 100", "capacity = -1", "car_parks[0].capacity: -1 is negative"),
        ('feed = "live"', 'feed = "dead"', "car_parks[0].feed: 'dead' is not the id of any [[feeds]] (live)"),
        ('feed_entity = "p1"', "", "car_parks[0].feed_entity: is missing"),
        ('feed_entity = "p1"', 'osm = "way 3"', "car_parks[0].osm: 'way 3' must look like way/75701087"),
        ("[osm]", "[bbox]\nsouth = 2\nwest = 0\nnorth = 1\neast = 1\n[osm]", "bbox.south: 2.0 … north 1.0"),
        ("[osm]", "bbox = 3\n[osm]", "bbox: must be a table ([bbox]), not 3"),
        ("[osm]", "[osm", "is not valid TOML"),
    ],
)
def test_each_wrong_entry_is_named(old: str, new: str, message: str) -> None:
    """One wrong entry, one sentence: where, what, what to do."""
    assert old in WHOLE
    with pytest.raises(CityConfigError) as caught:
        parse(WHOLE.replace(old, new, 1))
    assert message in str(caught.value)
    assert str(caught.value).startswith("cities/drawn/city.toml: ")


def test_ids_are_unique() -> None:
    """Two feeds of one id are refused."""
    with pytest.raises(CityConfigError, match=r"gtfs\[1\]\.id: 'bus' is used twice"):
        parse(CITY_TOML + '[[gtfs]]\nid = "bus"\nfile = "other.zip"\n')


def test_missing_file_is_said(tmp_path: Path) -> None:
    """No city.toml, or one that is not text."""
    with pytest.raises(CityConfigError, match="there is no such file"):
        read_city(tmp_path)
    (tmp_path / "city.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CityConfigError, match="cannot be read"):
        read_city(tmp_path)


def test_files_are_looked_for_in_order(tmp_path: Path) -> None:
    """The city's folder first, then TRABOULE_DATA (with the city's name, then without), then data_folders."""
    folder = tmp_path / "cities" / "drawn"
    folder.mkdir(parents=True)
    (folder / "city.toml").write_text(CITY_TOML.replace("[osm]", 'data_folders = ["../../far"]\n[osm]'))
    city = read_city(folder)
    with pytest.raises(CityInputError, match="far"):
        city.get_path("bus.zip", "")
    places = [tmp_path / "far", tmp_path / "data", tmp_path / "data" / "drawn", folder]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / "bus.zip").write_bytes(b"")
        assert city.get_path("bus.zip", str(tmp_path / "data")) == place / "bus.zip"


def test_cities_of_the_repository_are_right() -> None:
    """Every city that is shipped can be read; Porto moves STCP by whole weeks and leaves the others."""
    cities = {folder.name: read_city(folder) for folder in list_cities(ROOT / "cities")}
    assert {"porto", "heidelberg", "laquila"} <= set(cities)
    assert [(feed.id, feed.shift_days) for feed in cities["porto"].gtfs] == [("stcp", 728), ("metro", 0), ("cp", 0)]
    assert cities["porto"].reference_date.isoformat() == "2026-07-28"
