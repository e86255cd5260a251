"""What the multimodal planner is asked, and what it answers."""

from dataclasses import dataclass
from enum import StrEnum

from routing.errors import InvalidInput
from routing.model.modes import StreetMode

MAX_ITINERARIES = 20


class LegMode(StrEnum):
    """How one leg is travelled."""

    WALK = "walk"
    BICYCLE = "bicycle"
    CAR = "car"
    TRANSIT = "transit"


class JourneyMode(StrEnum):
    """Kinds of journey a traveller accepts."""

    WALK = "walk"
    BICYCLE = "bicycle"
    CAR = "car"
    TRANSIT = "transit"
    PARK_AND_RIDE = "park_and_ride"


ALL_JOURNEY_MODES = frozenset(JourneyMode)


class TrafficBasis(StrEnum):
    """What the time of a drive stands on: no traffic, that of the departure all the way, or that met on the way."""

    FREE_FLOW = "free_flow"
    DEPARTURE = "departure"
    PREDICTED = "predicted"


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the map; degrees (WGS 84). `stop_id` (feed-scoped) and `car_park_id` where it is one."""

    lat_deg: float
    lon_deg: float
    name: str = ""
    stop_id: str = ""
    car_park_id: str = ""

    def __post_init__(self) -> None:
        if not (-90 <= self.lat_deg <= 90 and -180 <= self.lon_deg <= 180):
            raise InvalidInput(
                f"({self.lat_deg}, {self.lon_deg}) is no position: latitude is -90..90, longitude -180..180, in degrees",
                field="location",
            )


@dataclass(frozen=True, slots=True)
class JourneyRequest:
    """A door-to-door question.

    Attributes
    ----------
    time_s
        Unix seconds: earliest departure, or latest arrival when `arrive_by`.
    window_s
        Departures in ``[time_s, time_s + window_s)`` are compared (0 = one departure time).
    modes
        Kinds of journey wanted.
    max_transfers, max_walk_s, max_way_s
        Bounds; the walk is per access or egress leg, `max_way_s` that of walking all the way.
    walk_speed_factor, bicycle_speed_factor
        1.0 = the metric's speed; 0.7 = slower.
    wheelchair
        Step-free streets, stops and vehicles only.
    max_itineraries
        Answers at most.
    banned_routes
        Feed-scoped GTFS route ids not to be used.
    route_types
        GTFS `route_type` values to use; empty = all.
    min_change_s
        Least time between two vehicles at one stop, where the timetable does not say.
    stay_s
        How long a park-and-ride traveller stays; the way back to the car park is checked after it.
    """

    origin: Point
    destination: Point
    time_s: int
    arrive_by: bool = False
    window_s: int = 3600
    modes: frozenset[JourneyMode] = ALL_JOURNEY_MODES - {JourneyMode.CAR, JourneyMode.BICYCLE}
    max_transfers: int = 4
    max_walk_s: int = 1500
    max_way_s: int = 3600
    walk_speed_factor: float = 1.0
    bicycle_speed_factor: float = 1.0
    wheelchair: bool = False
    max_itineraries: int = 5
    banned_routes: frozenset[str] = frozenset()
    route_types: frozenset[int] = frozenset()
    min_change_s: int = 120
    stay_s: int = 8 * 3600

    def __post_init__(self) -> None:
        _check(self.modes != frozenset(), "modes", "name at least one mode (walk, bicycle, car, transit, park_and_ride)")
        _check(0 <= self.window_s <= 6 * 3600, "window_s", f"{self.window_s} is outside 0..21600 seconds")
        _check(0 <= self.max_transfers <= 7, "max_transfers", f"{self.max_transfers} is outside 0..7")
        _check(0 < self.max_walk_s <= 7200, "max_walk_s", f"{self.max_walk_s} is outside 1..7200 seconds")
        _check(0 < self.max_way_s <= 7200, "max_way_s", f"{self.max_way_s} is outside 1..7200 seconds")
        _check(0.2 <= self.walk_speed_factor <= 3.0, "walk_speed_factor", f"{self.walk_speed_factor} is outside 0.2..3.0")
        _check(
            0.2 <= self.bicycle_speed_factor <= 3.0, "bicycle_speed_factor", f"{self.bicycle_speed_factor} is outside 0.2..3.0"
        )
        _check(
            1 <= self.max_itineraries <= MAX_ITINERARIES,
            "max_itineraries",
            f"{self.max_itineraries} is outside 1..{MAX_ITINERARIES}",
        )

    def speed_factor(self, mode: StreetMode) -> float:
        """Speed of the traveller over that of the street metric."""
        if mode in (StreetMode.FOOT, StreetMode.WHEELCHAIR):
            return self.walk_speed_factor
        return self.bicycle_speed_factor if mode is StreetMode.BICYCLE else 1.0


def _check(holds: bool, field: str, message: str) -> None:
    if not holds:
        raise InvalidInput(message, field=field)


@dataclass(frozen=True, slots=True)
class StopCall:
    """A vehicle's call at a stop; unix seconds; the schedule and what is expected apart (equal without real time)."""

    stop: Point
    stop_sequence: int
    scheduled_arrival_s: int
    scheduled_departure_s: int
    arrival_s: int
    departure_s: int


@dataclass(frozen=True, slots=True)
class TransitDetail:
    """The vehicle of a transit leg. Ids are feed-scoped (`feed:id`).

    `route_color` and `text_color` are RRGGBB or empty; `wheelchair` and `bicycles` None where the feed does not say;
    `service_date` YYYYMMDD; `calls` from boarding to alighting, both included.
    """

    trip_id: str
    route_id: str
    agency_id: str
    agency_name: str
    route_short_name: str
    route_long_name: str
    route_type: int
    route_color: str
    text_color: str
    headsign: str
    service_date: str
    realtime: bool
    wheelchair: bool | None
    bicycles: bool | None
    calls: tuple[StopCall, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One street of a street leg; `manoeuvre` as in `routing.street.path.StreetStep`, plus `stairs`."""

    name: str
    distance_m: float
    manoeuvre: str
    duration_s: int
    location: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ParkingDetail:
    """The car park at the end of a car leg."""

    car_park_id: str
    name: str
    capacity: int
    free_probability: float
    search_s: int
    return_possible: bool


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of a journey; unix seconds; `distance_m` along the way; `shape` (lat, lon) degrees; `traffic` of a drive.

    `climb_m` is metres up and metres down, None where heights are not known.
    """

    mode: LegMode
    origin: Point
    destination: Point
    departure_s: int
    arrival_s: int
    distance_m: float
    co2_g: float
    shape: tuple[tuple[float, float], ...] = ()
    steps: tuple[Step, ...] = ()
    transit: TransitDetail | None = None
    parking: ParkingDetail | None = None
    free_flow_s: int | None = None
    climb_m: tuple[float, float] | None = None
    traffic: TrafficBasis | None = None

    @property
    def duration_s(self) -> int:
        """Seconds from departure to arrival."""
        return self.arrival_s - self.departure_s


@dataclass(frozen=True, slots=True)
class Itinerary:
    """A whole journey.

    Attributes
    ----------
    reliability
        Probability (0..1) that every transfer is caught and, with a car, that the car park has a space.
    """

    kind: JourneyMode
    legs: tuple[Leg, ...]
    reliability: float = 1.0

    @property
    def departure_s(self) -> int:
        """Unix seconds of leaving the origin."""
        return self.legs[0].departure_s

    @property
    def arrival_s(self) -> int:
        """Unix seconds of reaching the destination."""
        return self.legs[-1].arrival_s

    @property
    def duration_s(self) -> int:
        """Door to door."""
        return self.arrival_s - self.departure_s

    @property
    def transfers(self) -> int:
        """Vehicles of public transport minus one, not below 0."""
        return max(0, sum(leg.mode is LegMode.TRANSIT for leg in self.legs) - 1)

    @property
    def walk_s(self) -> int:
        """Seconds on foot."""
        return sum(leg.duration_s for leg in self.legs if leg.mode is LegMode.WALK)

    @property
    def co2_g(self) -> float:
        """Grams of CO2 equivalent for one traveller."""
        return sum(leg.co2_g for leg in self.legs)
