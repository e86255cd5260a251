"""FIWARE NGSI v2 writer: vehicles as Porto's broker publishes its buses, with the quirks seen there.

Trip names are of the newer export and fit no trip of the timetable at hand; some vehicles say `heading` for `bearing`, some
URL-encode their annotations, some carry a plate (to be dropped), some are parked and say nothing of a route.
"""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote

from services.recorded_day.demand import stream
from services.recorded_day.trips import SimulatedTrip
from services.recorded_day.writers import NOTE

LAYOVER_S = 120
"""Vehicles are seen this long before their trip begins."""


@cache
def fleet_number(trip: SimulatedTrip) -> int:
    """Fleet number of the vehicle that runs a trip."""
    return 3000 + int(stream("fleet", trip.feed, trip.trip_id).random() * 900_000)


def vehicle(trip: SimulatedTrip, unix_s: int) -> dict[str, Any]:
    """Entity of the vehicle of a running trip, observed up to 20 s before `unix_s`."""
    number = fleet_number(trip)
    seen_at = unix_s - number % 21
    lat, lon, bearing, speed = trip.position(seen_at)
    shape, run = _newer_name(trip.trip_id)
    notes = [
        f"stcp:route:{trip.route_id}",
        "stcp:nr_turno:na",
        f"stcp:nr_viagem:{trip.route_id}_{trip.direction}_3|{shape}|D1|T{1 + number % 9}|N{run}",
        f"stcp:sentido:{trip.direction}",
    ]
    if number % 7 == 0:
        notes = [quote(note, safe=":") for note in notes]
    entity = _entity(number, lat, lon, seen_at, round(speed))
    entity["annotations"] = _attribute("Array", notes)
    entity["heading" if number % 5 == 0 else "bearing"] = _attribute("Number", round(bearing) % 360)
    if number % 11 == 0:
        entity["vehiclePlateIdentifier"] = _attribute("Text", "00-SIM-00")
    return entity


def parked(number: int, lat: float, lon: float, unix_s: int, stale: bool) -> dict[str, Any]:
    """Entity of a vehicle out of service; `stale` = its last message is from the evening before."""
    return _entity(number, lat, lon, unix_s // 600 * 600 - (36_000 if stale else 0), 0)


def to_bytes(entities: list[dict[str, Any]]) -> bytes:
    """Body of the broker's answer."""
    return json.dumps(entities, ensure_ascii=False, separators=(",", ":")).encode()


def _entity(number: int, lat: float, lon: float, seen_at: int, speed: int) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:Vehicle:porto:stcp:bus:sim-{number}",
        "type": "Vehicle",
        "fleetVehicleId": _attribute("Text", str(number)),
        "location": _attribute("geo:json", {"type": "Point", "coordinates": [round(lon, 5), round(lat, 5)]}),
        "observationDateTime": _attribute("DateTime", _iso(seen_at)),
        "source": _attribute("Text", NOTE),
        "speed": _attribute("Number", speed),
        "vehicleType": _attribute("Text", "bus"),
    }


@cache
def _newer_name(trip_id: str) -> tuple[int, int]:
    rng = stream("shape", trip_id)
    return 100 + int(rng.random() * 200), 1 + int(rng.random() * 40)


def _attribute(kind: str, value: object) -> dict[str, object]:
    return {"type": kind, "value": value, "metadata": {}}


def _iso(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.00Z")
