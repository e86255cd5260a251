"""Whole small cities drawn as text: streets, timetable and car parks, tied together for the multimodal planner.

::

    A          B          C          streets as in `tests.builders.streets` (two columns are 100 m)
    ---
    ABC  maxspeed=50
    ===
    1 t1: A 8:00 > B 8:05            timetable as in `tests.builders.timetables`; a stop lies at the node of its first letter
    park P1 B 100                    car park at a node with its capacity; `signed` after it = signed as park-and-ride
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from routing.model.car_parks import CarParks
from routing.model.strings import StringTable
from routing.model.timetable import Timetable
from routing.multimodal.model import Itinerary, JourneyMode, JourneyRequest, Point
from routing.multimodal.network import JourneyNetwork, build_network
from routing.multimodal.planner import plan_journeys
from routing.transit.api import RealtimeOverlay, TransitEngine, TripChange
from tests.builders import streets, timetables


@dataclass(frozen=True)
class DrawnCity:
    """A drawn city, ready to plan in."""

    network: JourneyNetwork
    drawing: timetables.Drawing
    street: streets.Drawn
    timetable: Timetable
    positions: dict[str, tuple[float, float]]

    def at(self, letter: str) -> Point:
        """Point of a letter."""
        return Point(*self.positions[letter], letter)

    def ask(self, origin: str, destination: str, clock: str, **options: Any) -> JourneyRequest:
        """Request between two nodes at a time of the first service day; `modes` may be a string of names."""
        modes = options.pop("modes", None)
        if modes is not None:
            options["modes"] = frozenset(JourneyMode(name) for name in modes.split())
        return JourneyRequest(self.at(origin), self.at(destination), self.drawing.at(clock), **options)

    def plan(self, origin: str, destination: str, clock: str, **options: Any) -> list[Itinerary]:
        """Journeys between two nodes."""
        least = options.pop("min_free_probability", 0.5)
        return plan_journeys(self.network, self.ask(origin, destination, clock, **options), least)

    def delayed(self, trip: str, delay_s: int) -> "DrawnCity":
        """The same city with a trip of the first service day running late."""
        change = TripChange(timetables.FEED, trip, service_date=self.drawing.first_date.replace("-", ""), delay_s=delay_s)
        return self.changed(change)

    def changed(self, *changes: TripChange) -> "DrawnCity":
        """The same city with real time laid over the schedule."""
        overlay = RealtimeOverlay.build(self.timetable, changes, self.drawing.at("8:00"))
        return replace(self, network=self.network.with_realtime(overlay))

    def with_chance(self, probability: float) -> "DrawnCity":
        """The same city where every car park has a space with this probability."""
        outlook = lambda car_park, _at_s: np.full(len(car_park), probability)  # noqa: E731
        return replace(self, network=replace(self.network, parking_outlook=outlook))

    def clock(self, unix_s: int) -> str:
        """Time of the first service day as H:MM:SS."""
        left = unix_s - self.drawing.day_start_s(0)
        return f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"


def draw(text: str) -> DrawnCity:
    """Build the city of a drawing."""
    street_text, _, rest = text.partition("===")
    street = streets.draw(street_text)
    lines = [line.strip() for line in rest.splitlines()]
    parks = [line.split()[1:] for line in lines if line.startswith("park ")]
    drawing = timetables.parse("\n".join(line for line in lines if not line.startswith("park ")))
    raw = streets.raw_streets(street_text)
    letters = zip(raw.node_id.tolist(), raw.node_lat_e7.tolist(), raw.node_lon_e7.tolist(), strict=True)
    positions = {chr(node): (lat * 1e-7, lon * 1e-7) for node, lat, lon in letters}
    stops = np.array([positions[name[0]] for name in drawing.stops])
    timetable = replace(timetables.build(drawing), stop_lat_deg=stops[:, 0].copy(), stop_lon_deg=stops[:, 1].copy())
    network = build_network(street.engine, TransitEngine(timetable), _car_parks(positions, parks))
    return DrawnCity(network, drawing, street, timetable, positions)


def _car_parks(positions: dict[str, tuple[float, float]], rows: list[list[str]]) -> CarParks:
    n = len(rows)
    places = np.array([positions[row[1]] for row in rows]).reshape(n, 2)
    names = StringTable.build([row[0] for row in rows])
    nothing = StringTable.build([""] * n)
    lat, lon = np.rint(places.T * 1e7).astype(np.int32)
    return CarParks(
        ids=names,
        names=names,
        lat_e7=lat,
        lon_e7=lon,
        centre_lat_e7=lat,
        centre_lon_e7=lon,
        capacity=np.array([int(row[2]) for row in rows], np.int32),
        capacity_source=np.zeros(n, np.uint8),
        kind=np.zeros(n, np.uint8),
        park_and_ride=np.array(["signed" in row for row in rows], np.bool_),
        fee=np.full(n, -1, np.int8),
        disabled_capacity=np.full(n, -1, np.int32),
        max_height_m=np.full(n, np.nan, np.float32),
        opening_hours=nothing,
        feed_ids=nothing,
        feed_entities=nothing,
    )


def gaps(itinerary: Itinerary) -> list[str]:
    """What keeps the legs of an itinerary from following each other in time and place; empty when nothing does."""
    found = []
    for k, leg in enumerate(itinerary.legs):
        if leg.arrival_s < leg.departure_s:
            found.append(f"leg {k} arrives before it leaves")
        for end, point in ((0, leg.origin), (-1, leg.destination)):
            if leg.shape and metres(leg.shape[end], (point.lat_deg, point.lon_deg)) > 160:
                found.append(f"line of leg {k} does not touch {point.name or end}")
        if k and itinerary.legs[k - 1].arrival_s > leg.departure_s:
            found.append(f"leg {k} leaves before leg {k - 1} arrives")
        if k and place(itinerary.legs[k - 1].destination) != place(leg.origin):
            found.append(f"leg {k} starts elsewhere than leg {k - 1} ends")
    return found


def place(point: Point) -> tuple[float, float]:
    """Position of a point."""
    return point.lat_deg, point.lon_deg


def metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Distance as the crow flies (equirectangular)."""
    squeeze = np.cos(np.radians(a[0]))
    return float(np.hypot(a[0] - b[0], (a[1] - b[1]) * squeeze) * 111_195)
