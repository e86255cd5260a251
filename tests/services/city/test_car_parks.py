"""Car parks: from the map, an operator's file and `city.toml`, joined and with honest capacities."""

import json
from pathlib import Path

import pytest

from routing.model.car_parks import CapacitySource, CarParkKind, CarParks
from services.city.build import build_snapshot
from services.city.config import read_city
from services.city.errors import CityConfigError, CityInputError
from services.city.snapshot import CitySnapshot, open_snapshot
from services.city.steps import STEPS
from tests.builders.cities import CITY_TOML, draw_city

PARKING = tuple(step for step in STEPS if step.name in ("street", "parking"))


def parks_of(tmp_path: Path, more: str = "") -> CarParks:
    """Car parks of the drawn city with more lines in its city.toml."""
    city = draw_city(tmp_path / "drawn", CITY_TOML + more)
    build_snapshot(read_city(city), tmp_path / "home", steps=PARKING, warm=False)
    return open_snapshot(tmp_path / "home", "drawn").car_parks


def rows(parks: CarParks) -> list[tuple[str, str, int, str]]:
    """Id, name, capacity and its source."""
    return [
        (parks.ids[i], parks.names[i], int(parks.capacity[i]), CapacitySource(int(parks.capacity_source[i])).name)
        for i in range(len(parks))
    ]


def test_mapped_capacity_or_area(tmp_path: Path) -> None:
    """The tag counts; else the area does (50 m × 50 m = 93 spaces of 27 m²); private ones are left out."""
    parks = parks_of(tmp_path)
    assert rows(parks) == [
        ("osm-node-6", "Parque do Teste", 120, "MAPPED"),
        ("osm-way-102", "P Rua Formosa", 93, "AREA"),
    ]
    assert parks.park_and_ride.tolist() == [False, True]
    assert parks.kind.tolist() == [CarParkKind.UNDERGROUND, CarParkKind.SURFACE]
    assert parks.capacity_assumed.tolist() == [False, True]


def test_declared_ones_add_and_improve(tmp_path: Path) -> None:
    """A declaration renames a mapped one (its tagged capacity stays), gives capacities, and adds new ones as assumed."""
    more = """
[[car_parks]]
id = "teste"
osm = "node/6"
name = "Teste"
capacity = 999
[[car_parks]]
id = "new"
name = "Novo"
lat = 41.1499
lon = -8.6181
capacity = 80
park_and_ride = true
kind = "multi-storey"
fee = true
"""
    parks = parks_of(tmp_path, more)
    assert rows(parks) == [
        ("new", "Novo", 80, "DECLARED"),
        ("osm-way-102", "P Rua Formosa", 93, "AREA"),
        ("teste", "Teste", 120, "MAPPED"),
    ]
    assert (int(parks.kind[0]), bool(parks.park_and_ride[0]), int(parks.fee[0])) == (CarParkKind.MULTI_STOREY, True, 1)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('id = "x"\nosm = "way/7"', "car_parks[0].osm: 'way/7' is no public car park"),
        ('id = "x"\ncapacity = 3', "car_parks[0]: 'x' is new and has no position"),
        ('id = "x"\nlat = 41.15\nlon = -8.62', "car_parks[0]: 'x' has no capacity"),
    ],
)
def test_wrong_declarations_are_named(tmp_path: Path, entry: str, message: str) -> None:
    """What the map does not know, or nobody can know, is an error with a remedy."""
    with pytest.raises(CityConfigError) as caught:
        parks_of(tmp_path, f"[[car_parks]]\n{entry}\n")
    assert message in str(caught.value)


def test_operator_files(tmp_path: Path) -> None:
    """ParkAPI v1: capacities count as the operator's; the id in the feed is kept; a broken file is named."""
    more = '[[feeds]]\nid = "parking"\nkind = "parkapi"\nurl = "https://example.org"\n[[car_park_files]]\n'
    more += 'file = "lots.json"\nformat = "parkapi-v1"\nfeed = "parking"\n'
    lot = {"id": "drawn-one", "name": "One", "coords": {"lat": 41.15, "lng": -8.6195}, "total": 55, "lot_type": "Parkhaus"}
    (tmp_path / "drawn").mkdir()
    path = tmp_path / "drawn" / "lots.json"
    path.write_text(json.dumps({"lots": [lot]}))
    parks = parks_of(tmp_path, more)
    assert rows(parks)[0] == ("drawn-one", "One", 55, "FEED")
    assert (parks.feed_ids[0], parks.feed_entities[0]) == ("parking", "drawn-one")
    path.write_text(json.dumps({"lots": [lot | {"coords": None}]}))
    with pytest.raises(CityConfigError, match=r"gives no position for One: add \[\[car_parks\]\]"):
        parks_of(tmp_path, more)
    for broken in ("{", "[]"):
        path.write_text(broken)
        with pytest.raises(CityInputError, match=r"lots\.json"):
            parks_of(tmp_path, more)


def test_heidelberg_has_its_25_real_garages(heidelberg_snapshot: CitySnapshot) -> None:
    """All garages of the live snapshot are there, with the operator's capacity where it gives one."""
    parks = heidelberg_snapshot.car_parks
    garages = {row[0]: row for row in rows(parks) if row[0].startswith("heidelberg-p")}
    assert len(garages) == 25
    assert garages["heidelberg-p01"] == ("heidelberg-p01", "P1 Poststrasse", 592, "FEED")
    assert garages["heidelberg-p02"][3] == "DECLARED"
    assert sum(row[3] == "FEED" for row in garages.values()) >= 22
    assert parks.feed_entities[list(parks.ids).index("heidelberg-p01")] == "urn:ngsiv2:OffStreetParking:P01"
    assert [name for name, ride in zip(parks.names, parks.park_and_ride, strict=True) if ride and "Kirchheim" in name]


def test_porto_says_what_is_assumed(porto_snapshot: CitySnapshot) -> None:
    """Porto's car parks: only mapped capacities are not assumed; every declared one has its live feed; all lie in the city."""
    parks = porto_snapshot.car_parks
    assert len(parks) >= 60
    assert int((~parks.capacity_assumed).sum()) == 2
    assert parks.park_and_ride.sum() >= 29
    declared = {park.id for park in porto_snapshot.city.car_parks}
    live = {parks.ids[i] for i in range(len(parks)) if parks.feed_ids[i]}
    assert live == declared
    assert all(porto_snapshot.bbox.contains(la * 1e-7, lo * 1e-7) for la, lo in zip(parks.lat_e7, parks.lon_e7, strict=True))
