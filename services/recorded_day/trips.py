"""Simulated trips: delays along the day and positions along the line."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.model.timetable import Timetable
from services.common.live.lines import Floats, line_of_trip
from services.recorded_day.demand import bell, congestion, stream
from services.recorded_day.roads import Closure, Point, metres

NEAR_CLOSURE_M = 60.0
MAX_EARLY_S = 45
CANCELLED_SHARE = 0.006
_METRES = 111_195.0


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedTrip:
    """One trip of the day: scheduled and real times (unix seconds), and the line it follows.

    `along_m` is the distance of each call along the line, `line` the points, `line_m` their distances.
    """

    feed: str
    trip_id: str
    route_id: str
    direction: int
    stop_ids: tuple[str, ...]
    sequences: tuple[int, ...]
    scheduled_arrival: tuple[int, ...]
    scheduled_departure: tuple[int, ...]
    arrival: tuple[int, ...]
    departure: tuple[int, ...]
    line: npt.NDArray[np.float64]
    line_m: npt.NDArray[np.float64]
    along_m: npt.NDArray[np.float64]
    cancelled: bool
    closed_from_call: int

    def next_call(self, unix_s: int) -> int:
        """Index of the call the vehicle has not left yet; the number of calls when it is done."""
        for index, departure in enumerate(self.departure):
            if departure > unix_s:
                return index
        return len(self.departure)

    def delay_at(self, call: int) -> int:
        """Delay at a call: departure, at the last one arrival."""
        if call + 1 < len(self.departure):
            return self.departure[call] - self.scheduled_departure[call]
        return self.arrival[-1] - self.scheduled_arrival[-1]

    def position(self, unix_s: int) -> tuple[float, float, float, float]:
        """(lat, lon, bearing, speed km/h) at a moment."""
        call = self.next_call(unix_s)
        if call == 0 or call >= len(self.departure):
            where, speed = float(self.along_m[0 if call == 0 else -1]), 0.0
        elif unix_s >= self.arrival[call]:
            where, speed = float(self.along_m[call]), 0.0
        else:
            begin, end = self.departure[call - 1], self.arrival[call]
            part = (unix_s - begin) / max(end - begin, 1)
            length = float(self.along_m[call] - self.along_m[call - 1])
            where = float(self.along_m[call - 1]) + part * length
            speed = length / max(end - begin, 1) * 3.6
        lat, lon, bearing = self._point(where)
        return lat, lon, bearing, min(speed, 90.0)

    def _point(self, where_m: float) -> tuple[float, float, float]:
        piece = int(np.clip(np.searchsorted(self.line_m, where_m, side="right") - 1, 0, len(self.line) - 2))
        (lat1, lon1), (lat2, lon2) = self.line[piece], self.line[piece + 1]
        length = float(self.line_m[piece + 1] - self.line_m[piece])
        part = min(max((where_m - float(self.line_m[piece])) / length, 0.0), 1.0) if length > 0 else 0.0
        bearing = math.degrees(math.atan2((lon2 - lon1) * math.cos(math.radians(lat1)), lat2 - lat1)) % 360
        return float(lat1 + part * (lat2 - lat1)), float(lon1 + part * (lon2 - lon1)), bearing


def simulate_trips(
    timetable: Timetable, feed: str, day: int, begins_at: int, ends_at: int, closure: Closure | None, sensitivity: float
) -> list[SimulatedTrip]:
    """Trips of one feed and day that run within a span. `sensitivity` scales how much traffic delays them (rail: little)."""
    feed_index = list(timetable.feed_ids).index(feed)
    base = int(timetable.day_start_s[feed_index, day])
    trips: list[SimulatedTrip] = []
    lines: dict[tuple[int, int], tuple[Floats, Floats, Floats]] = {}
    for trip in range(timetable.trip_count):
        if timetable.route_feed[timetable.trip_route[trip]] != feed_index or not timetable.is_running(trip, day):
            continue
        first, last = int(timetable.first_stop_time[trip]), int(timetable.first_stop_time[trip + 1])
        if (
            base + int(timetable.arrival_s[last - 1]) + 3600 < begins_at
            or base + int(timetable.departure_s[first]) > ends_at + 3600
        ):
            continue
        shape = (int(timetable.trip_pattern[trip]), int(timetable.trip_shape[trip]))
        if shape not in lines:
            lines[shape] = line_of_trip(timetable, trip)
        trips.append(_simulate(timetable, feed, trip, base, closure, sensitivity, lines[shape]))
    return sorted(trips, key=lambda t: (t.scheduled_departure[0], t.trip_id))


def _simulate(
    timetable: Timetable,
    feed: str,
    trip: int,
    base: int,
    closure: Closure | None,
    sensitivity: float,
    on_ground: tuple[Floats, Floats, Floats],
) -> SimulatedTrip:
    calls = slice(int(timetable.first_stop_time[trip]), int(timetable.first_stop_time[trip + 1]))
    stops = timetable.stops_of_trip(trip)
    arrivals = [base + int(s) for s in timetable.arrival_s[calls]]
    departures = [base + int(s) for s in timetable.departure_s[calls]]
    trip_id = timetable.trip_ids[trip].partition(":")[2]
    points = [(float(timetable.stop_lat_deg[s]), float(timetable.stop_lon_deg[s])) for s in stops]
    line, line_m, along_m = on_ground
    closed_call = _closed_call(points, closure, line)
    real = list(_real_times(feed, trip_id, base, arrivals, departures, closure, closed_call, sensitivity))
    return SimulatedTrip(
        feed, trip_id, timetable.route_ids[int(timetable.trip_route[trip])].partition(":")[2],
        max(int(timetable.trip_direction[trip]), 0), tuple(timetable.stop_ids[int(s)].partition(":")[2] for s in stops),
        tuple(int(q) for q in timetable.stop_sequence[calls]), tuple(arrivals), tuple(departures),
        tuple(a for a, _ in real), tuple(d for _, d in real), line, line_m, along_m,
        feed == "stcp" and stream(feed, trip_id, "cancel").random() < CANCELLED_SHARE, closed_call,
    )  # fmt: skip


def _real_times(
    feed: str,
    trip_id: str,
    base: int,
    arrivals: Sequence[int],
    departures: Sequence[int],
    closure: Closure | None,
    closed_call: int,
    sensitivity: float,
) -> Iterator[tuple[int, int]]:
    """Real arrival and departure at each call: traffic adds delay, drivers recover some of it, nobody runs far ahead."""
    rng = stream(feed, trip_id)
    habit = 0.5 + rng.random()
    delay = max(0.0, 40 * sensitivity * bell(rng) + 25 * sensitivity * rng.random())
    before = departures[0]
    left = 0
    for call, (arrival, departure) in enumerate(zip(arrivals, departures, strict=True)):
        ride = arrival - before
        delay += sensitivity * habit * 0.16 * ride * congestion(arrival - base) + 5 * sensitivity * bell(rng)
        delay -= 0.07 * max(delay, 0.0)
        if call == closed_call and closure is not None and closure.begins_at <= arrival + delay < closure.ends_at:
            delay += 180 + 150 * rng.random()
        delay = max(delay, -float(MAX_EARLY_S))
        real_arrival = max(arrival + round(delay), left)
        real_departure = max(real_arrival, departure + round(delay))
        yield real_arrival, real_departure
        before, left = departure, real_departure


def _closed_call(points: Sequence[Point], closure: Closure | None, line: npt.NDArray[np.float64]) -> int:
    """Call after which the trip would use the blocked street, -1 if it does not."""
    if closure is None:
        return -1
    middle = closure.middle
    dy = (line[:, 0] - middle[0]) * _METRES
    dx = (line[:, 1] - middle[1]) * _METRES * math.cos(math.radians(middle[0]))
    if float(np.hypot(dx, dy).min()) > NEAR_CLOSURE_M:
        return -1
    return min(range(len(points)), key=lambda i: metres(points[i], middle))
