"""Canonical records: what every adapter makes of its feed, and all that comes after it reads.

Times are unix seconds (UTC). Optional fields that a feed does not give are None, never invented.
"""

from typing import Literal

import msgspec

OBSERVATION_UNITS: dict[str, str] = {
    "speed": "km/h", "travel_time": "s", "flow": "veh/h", "occupancy": "%", "vehicle_count": "veh",
    "free_spaces": "spaces", "capacity": "spaces", "bikes_available": "vehicles", "docks_available": "docks",
}  # fmt: skip
"""Kinds of `Observation` and the one unit each is stored in."""


class Provenance(msgspec.Struct, frozen=True, array_like=True):
    """Where a record comes from: sha256 of the body, its URL, the adapter, and the static version it was matched to."""

    sha256: str
    url: str
    adapter: str
    static_version: str = ""


class Record(msgspec.Struct, frozen=True, tag=True, kw_only=True, omit_defaults=True):
    """Fields common to all records; `entity` identifies the thing within its feed."""

    feed: str
    entity: str
    observed_at: int
    received_at: int
    valid_until: int
    provenance: Provenance


class Observation(Record, frozen=True, kw_only=True):
    """One measured value of one entity (a road site or segment, a car park, a station).

    `bearing_deg` is the direction of travel at a point on the road. `arc_keys` are the streets it was matched to, by keys that
    survive a rebuild of the city (`routing.street.arc_keys`); empty = not matched, or not about a road.
    """

    kind: str
    value: float
    unit: str
    quality: float = 1.0
    status: str = ""
    name: str = ""
    lat: float | None = None
    lon: float | None = None
    path: tuple[tuple[float, float], ...] = ()
    bearing_deg: float | None = None
    arc_keys: tuple[int, ...] = ()


class Event(Record, frozen=True, kw_only=True):
    """Something on the road: accident, roadworks, closure. `path` holds (lat, lon) points along the affected street.

    `vehicles` are those a closure binds, empty = all.
    `bearing_deg` and `arc_keys` as in `Observation`.
    """

    kind: Literal["closure", "roadworks", "accident", "obstruction", "lane_closure", "restriction", "other"]
    version: int
    starts_at: int | None
    ends_at: int | None
    path: tuple[tuple[float, float], ...] = ()
    both_directions: bool = True
    speed_factor: float | None = None
    severity: str = ""
    description: str = ""
    cancelled: bool = False
    vehicles: tuple[Literal["car", "van", "truck"], ...] = ()
    bearing_deg: float | None = None
    arc_keys: tuple[int, ...] = ()


class InformedEntity(msgspec.Struct, frozen=True, array_like=True):
    """What an alert is about (GTFS-RT EntitySelector); empty strings mean "any"."""

    agency_id: str = ""
    route_id: str = ""
    trip_id: str = ""
    stop_id: str = ""
    route_type: int | None = None
    direction_id: int | None = None


class Alert(Record, frozen=True, kw_only=True):
    """A service alert for passengers. Texts by language code (`""` = not said); plain text, capped."""

    cause: str
    effect: str
    active_periods: tuple[tuple[int | None, int | None], ...] = ()
    informed: tuple[InformedEntity, ...] = ()
    header: dict[str, str] = {}
    description: dict[str, str] = {}
    url: str = ""


class StopTimeUpdate(msgspec.Struct, frozen=True, array_like=True):
    """Prediction at one stop of a trip (GTFS-RT StopTimeUpdate). Delays in seconds; a given absolute time wins."""

    stop_sequence: int | None = None
    stop_id: str = ""
    arrival_delay_s: int | None = None
    departure_delay_s: int | None = None
    arrival_time: int | None = None
    departure_time: int | None = None
    relationship: Literal["SCHEDULED", "SKIPPED", "NO_DATA", "UNSCHEDULED"] = "SCHEDULED"


class TripUpdate(Record, frozen=True, kw_only=True):
    """Real time of one trip on one service day (GTFS-RT TripUpdate); `static_feed` names the timetable feed it speaks of."""

    static_feed: str
    trip_id: str
    route_id: str = ""
    direction_id: int | None = None
    start_date: str = ""
    start_time_s: int | None = None
    relationship: Literal["SCHEDULED", "ADDED", "NEW", "CANCELED", "DELETED", "DUPLICATED", "REPLACEMENT", "UNSCHEDULED"] = (
        "SCHEDULED"
    )
    delay_s: int | None = None
    stop_times: tuple[StopTimeUpdate, ...] = ()


class VehiclePosition(Record, frozen=True, kw_only=True):
    """Where a public transport vehicle is. `vehicle_id` is the operator's fleet number, never a plate."""

    static_feed: str
    vehicle_id: str
    lat: float
    lon: float
    bearing_deg: float | None = None
    speed_kmh: float | None = None
    trip_id: str = ""
    route_id: str = ""
    direction_id: int | None = None
    start_date: str = ""
    stop_id: str = ""
    stop_sequence: int | None = None
    occupancy: str = ""
    matched_trip_id: str = ""
    delay_s: int | None = None


AnyRecord = Observation | Event | Alert | TripUpdate | VehiclePosition
"""All record types; msgpack codec in `services.common.state.codec`."""


class Finding(msgspec.Struct, frozen=True):
    """Something wrong in a feed: a documented code, where, and in words what to do about it."""

    code: str
    severity: Literal["info", "warning", "error"]
    where: str
    message: str
