"""Low-emission zones of the French schema close streets to dirty vehicles, in their hours, between their dates."""

import json
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from routing.model.modes import StreetMode
from routing.street.access_rules import EmissionClass
from services.city.errors import CityError
from services.city.low_emission_zones import access_rules, read_zones
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
    rules = access_rules(town.graph, zones, PARIS)
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
    assert {zone.mode for zone in zones} == {StreetMode.CAR, StreetMode.VAN, StreetMode.TRUCK}
    assert skipped == 0
    assert read_zones((folder / "exemple-valide-voie-speciale.geojson").read_bytes()) == ([], 4)
