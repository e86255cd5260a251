"""Low-emission zones of the French schema close streets to dirty vehicles, in their hours, between their dates."""

import json
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from routing.model.modes import StreetMode
from routing.model.time_rules import Calendar
from routing.street.access_rules import AccessRules, EmissionClass
from services.city.errors import CityError
from services.city.low_emission_zones import compile_zones, read_zones
from tests.builders.shared_data import shared
from tests.builders.streets import draw

PARIS = ZoneInfo("Europe/Paris")
TUESDAY_NOON = 1_773_140_400


def drawn():
    """Three streets in a row."""
    return draw("""
    A B C D
      E F
    ---
    AB
    BC
    CD
    BE
    CF
    """)


def rules_of(town, zones, calendar=None):
    """Rules as a snapshot gives them to the engine."""
    return AccessRules.of_zones(compile_zones(town.graph, zones, PARIS), town.graph.arc_count, PARIS, calendar or Calendar())


def body(town, **changes):
    """A zone around the street in the middle."""
    lat, lon = (town.graph.node_lat_e7 * 1e-7, town.graph.node_lon_e7 * 1e-7)
    (south, west), (north, east) = (
        (lat[town.node("B")] - 1e-4, lon[town.node("B")] - 1e-4),
        (lat[town.node("C")] + 1e-4, lon[town.node("C")] + 1e-4),
    )
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    properties = {
        "id": "z1", "date_debut": "2026-01-01", "date_fin": "2026-06-30", "vp_critair": "V4",
        "vp_horaires": "Mo-Fr 08:00-20:00; PH off", "pl_critair": "V3", "pl_horaires": "24/7",
    } | changes  # fmt: skip
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}
    return json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()


@pytest.mark.parametrize(
    ("mode", "emission", "at", "closed"),
    [
        (StreetMode.CAR, EmissionClass.CLASS_3, TUESDAY_NOON, False),
        (StreetMode.CAR, EmissionClass.CLASS_4, TUESDAY_NOON, True),
        (StreetMode.CAR, EmissionClass.UNCLASSIFIED, TUESDAY_NOON + 9 * 3600, False),
        (StreetMode.TRUCK, EmissionClass.CLASS_3, TUESDAY_NOON + 9 * 3600, True),
        (StreetMode.VAN, EmissionClass.UNCLASSIFIED, TUESDAY_NOON, False),
        (StreetMode.TRUCK, EmissionClass.CLASS_5, TUESDAY_NOON + 200 * 86_400, False),
        (StreetMode.TRUCK, EmissionClass.CLASS_5, TUESDAY_NOON - 200 * 86_400, False),
    ],
)
def test_who_may_not_enter_when(mode, emission, at, closed):
    """By kind of vehicle, sticker, hour of the city's clock and date."""
    town = drawn()
    zones, skipped = read_zones(body(town))
    assert skipped == 0
    rules = rules_of(town, zones)
    mask = rules.closed(rules.holding(mode, emission, at))
    expected = sorted([town.arc("BC"), town.arc("CB")]) if closed else []
    assert np.flatnonzero(mask).tolist() == expected


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (b"not json", "no GeoJSON"),
        (b"[]", "no GeoJSON"),
        (b'{"features": 3}', "no GeoJSON"),
        (b'{"features": [{}]}', r"features\[0\]"),
        ({"vp_critair": "V9"}, "'V9' is none of EL"),
        ({"vp_horaires": "when it rains"}, "is not understood"),
        ({"date_debut": "yesterday"}, r"features\[0\] cannot be read"),
        ({"date_fin": "2025-01-01"}, "before date_debut"),
        (
            b'{"features": [{"geometry": {"type": "Polygon", "coordinates": [[[1, 99], [2, 3], [4, 5]]]}, "properties": {}}]}',
            "longitude first",
        ),
        (
            b'{"features": [{"geometry": {"type": "Polygon", "coordinates": [[[1, 2], [2, 3]]]}, "properties": {}}]}',
            "3 are needed",
        ),
    ],
)
def test_broken_files_are_refused(broken, message):
    """What is wrong and in which feature."""
    with pytest.raises(CityError, match=message):
        read_zones(broken if isinstance(broken, bytes) else body(drawn(), **broken))


def test_published_examples_are_read():
    """The zone of greater Paris; single roads of the national base are counted, not guessed."""
    folder = shared("feeds/fr_schemas/schema-zfe")
    zones, skipped = read_zones((folder / "exemple-valide-zone.geojson").read_bytes())
    assert [zone.modes for zone in zones] == [StreetMode.CAR.bit | StreetMode.VAN.bit | StreetMode.TRUCK.bit]
    assert skipped == 0
    assert read_zones((folder / "exemple-valide-voie-speciale.geojson").read_bytes()) == ([], 4)


def test_holidays_and_nights_when_clocks_change():
    """`PH off` frees the zone on holidays; a zone of 22:00–03:00 holds in both passages of the hour that comes twice."""
    town = drawn()
    zones, _ = read_zones(body(town))
    calendar = Calendar(frozenset({date(2026, 3, 10)}))
    car = StreetMode.CAR, EmissionClass.CLASS_5
    assert rules_of(town, zones).holding(*car, TUESDAY_NOON)
    assert not rules_of(town, zones, calendar).holding(*car, TUESDAY_NOON)
    zones, _ = read_zones(body(town, vp_horaires="Sa 22:00-03:00", date_fin=None))
    rules = rules_of(town, zones)
    back = int(datetime(2026, 10, 24, 22, 0, tzinfo=PARIS).timestamp())
    assert [bool(rules.holding(*car, back + 3600 * k)) for k in range(-1, 8)] == [False, *[True] * 6, False, False]
    forth = int(datetime(2026, 3, 28, 22, 0, tzinfo=PARIS).timestamp())
    assert [bool(rules.holding(*car, forth + 3600 * k)) for k in range(-1, 7)] == [False, *[True] * 4, False, False, False]


def test_days_are_those_of_the_citys_clock():
    """The first day begins, and the last one ends, at local midnight."""
    town = drawn()
    zones, _ = read_zones(body(town))
    rules = rules_of(town, zones)
    truck = StreetMode.TRUCK, EmissionClass.CLASS_5
    begin, end = (int(datetime(*day, tzinfo=PARIS).timestamp()) for day in ((2026, 1, 1), (2026, 7, 1)))
    assert [bool(rules.holding(*truck, at)) for at in (begin - 1, begin, end - 1, end)] == [False, True, True, False]
