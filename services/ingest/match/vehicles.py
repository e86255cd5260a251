"""Vehicles without usable trip ids → trips of the timetable, by route, direction, position and time.

For each vehicle the trips of its route and direction that can be under way are candidates. Its position is projected on the
line of each; the scheduled time there gives the delay the vehicle would have. Vehicles and trips of one route and direction
are then paired so that the sum of costs is least (one vehicle, one trip), a vehicle keeping its trip unless that is
much worse.
"""

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np

from routing.model.timetable import Timetable, index_of
from services.common.live.lines import Floats, flat, line_of_trip
from services.common.records import StopTimeUpdate, TripUpdate, VehiclePosition
from services.ingest.match.pairing import pair_cheapest

MAX_OFF_LINE_M = 150.0
NEARLY_M = 40.0
MAX_TURN_DEG = 100.0
MOVING_KMH = 8.0
EARLY_S, LATE_S = 600, 3600
AT_START_M = 80.0
EARLY_WEIGHT, OFF_LINE_WEIGHT, KEEP_BONUS_S = 3.0, 1.0, 420.0
IMPOSSIBLE = 1e9
KEPT_S = 900
VALID_S = 180
MIN_DELAY_S = -120


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trip on one service day that may be under way."""

    trip: int
    day: int
    day_start: int


@dataclass(frozen=True, slots=True)
class Fit:
    """How a vehicle would fit a candidate: delay, next call, cost in seconds."""

    delay_s: int
    next_call: int
    cost: float


@dataclass(slots=True)
class _Line:
    """Line of a trip in a plane: start and step of each piece, distances."""

    at_lat: float
    start: Floats
    step: Floats
    size: Floats
    line_m: Floats
    along: list[float]


@dataclass(slots=True)
class VehicleMatcher:
    """Matches the vehicles of one feed to the trips of one timetable feed; remembers the last match of each vehicle."""

    timetable: Timetable
    feed: str
    _by_route: dict[str, list[int]] = field(default_factory=dict)
    _lines: dict[tuple[int, int], _Line] = field(default_factory=dict)
    _last: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    _times: dict[int, tuple[list[int], list[int]]] = field(default_factory=dict)
    _running: dict[tuple[str, int | None, int], list[Candidate]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table = self.timetable
        feed_index = index_of(table).feeds[self.feed]
        names: dict[int, tuple[str, str]] = {
            route: (table.route_ids[route].partition(":")[2], table.route_short_names[route])
            for route in range(table.route_count)
            if table.route_feed[route] == feed_index
        }
        for trip, route in enumerate(table.trip_route.tolist()):
            for name in set(names.get(route, ())):
                if name:
                    self._by_route.setdefault(name, []).append(trip)

    def match(self, vehicles: Iterable[VehiclePosition], now: int) -> tuple[list[VehiclePosition], list[TripUpdate]]:
        """Answer the vehicles, with `matched_trip_id`, `start_date` and `delay_s` where a trip fits, and their trip updates."""
        groups: dict[tuple[str, int | None], list[VehiclePosition]] = {}
        answer: dict[str, VehiclePosition] = {}
        for vehicle in vehicles:
            answer[vehicle.entity] = vehicle
            if vehicle.route_id:
                groups.setdefault((vehicle.route_id, vehicle.direction_id), []).append(vehicle)
        updates: list[TripUpdate] = []
        for (route, direction), members in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
            for vehicle, candidate, fit in self._pair(members, self._candidates(route, direction, now)):
                matched, update = self._records(vehicle, candidate, fit)
                answer[vehicle.entity] = matched
                updates.append(update)
        self._last = {entity: last for entity, last in self._last.items() if last[2] >= now - KEPT_S}
        return list(answer.values()), updates

    def _candidates(self, route: str, direction: int | None, now: int) -> list[Candidate]:
        """Trips of a route and direction that may be under way, remembered for a minute."""
        key = (route, direction, now // 60)
        if len(self._running) > 2000:
            self._running.clear()
        if key not in self._running:
            self._running[key] = list(self._find_candidates(route, direction, now // 60 * 60))
        return self._running[key]

    def _find_candidates(self, route: str, direction: int | None, now: int) -> Iterable[Candidate]:
        table = self.timetable
        starts = table.day_start_s[index_of(table).feeds[self.feed]]
        today = int(np.searchsorted(starts, now, side="right")) - 1
        for day in (today - 1, today):
            if not 0 <= day < table.day_count:
                continue
            base = int(starts[day])
            for trip in self._by_route.get(route, ()):
                if direction is not None and table.trip_direction[trip] not in (direction, -1):
                    continue
                end = base + int(table.arrival_s[int(table.first_stop_time[trip + 1]) - 1])
                if base + int(table.trip_start_s[trip]) - EARLY_S <= now <= end + LATE_S and table.is_running(trip, day):
                    yield Candidate(trip, day, base)

    def _pair(
        self, vehicles: list[VehiclePosition], candidates: list[Candidate]
    ) -> Iterable[tuple[VehiclePosition, Candidate, Fit]]:
        if not candidates:
            return
        fits = [self._fits(vehicle, candidates) for vehicle in vehicles]
        costs = np.array([[IMPOSSIBLE if fit is None else fit.cost for fit in row] for row in fits])
        for row, column in pair_cheapest(costs):
            fit = fits[row][column]
            if fit is not None:
                yield vehicles[row], candidates[column], fit

    def _fits(self, vehicle: VehiclePosition, candidates: list[Candidate]) -> list[Fit | None]:
        """How the vehicle can be on each candidate; the position is projected once per line."""
        spots: dict[int, list[tuple[float, float]]] = {}
        answer = []
        for candidate in candidates:
            line = self._line(candidate.trip)
            if id(line) not in spots:
                spots[id(line)] = _spots(vehicle, line)
            answer.append(self._best(vehicle, candidate, line, spots[id(line)]))
        return answer

    def _best(
        self, vehicle: VehiclePosition, candidate: Candidate, line: _Line, spots: list[tuple[float, float]]
    ) -> Fit | None:
        """The cheapest of the places on the line where the vehicle may be; None where it cannot be on this trip."""
        arrivals, departures = self._schedule(candidate.trip)
        best: Fit | None = None
        for where, off in spots:
            call = min(max(bisect_left(line.along, where), 1), len(arrivals) - 1)
            begin = line.along[call - 1]
            share = min(max((where - begin) / max(line.along[call] - begin, 1.0), 0.0), 1.0)
            scheduled = departures[call - 1] + share * (arrivals[call] - departures[call - 1])
            delay = vehicle.observed_at - candidate.day_start - scheduled
            if not -EARLY_S <= delay <= LATE_S:
                continue
            waiting = where <= line.along[0] + AT_START_M and delay < 0
            weight = 0.5 if waiting else EARLY_WEIGHT
            cost = (-delay * weight if delay < 0 else delay) + OFF_LINE_WEIGHT * off
            if best is None or cost < best.cost:
                best = Fit(0 if waiting else max(round(delay), MIN_DELAY_S), 0 if waiting else call, cost)
        kept = self._last.get(vehicle.entity)
        if best is not None and kept is not None and kept[:2] == (candidate.trip, candidate.day):
            return Fit(best.delay_s, best.next_call, best.cost - KEEP_BONUS_S)
        return best

    def _schedule(self, trip: int) -> tuple[list[int], list[int]]:
        """Arrivals and departures of a trip, seconds of the service day."""
        if trip not in self._times:
            table = self.timetable
            calls = slice(int(table.first_stop_time[trip]), int(table.first_stop_time[trip + 1]))
            self._times[trip] = (table.arrival_s[calls].tolist(), table.departure_s[calls].tolist())
        return self._times[trip]

    def _line(self, trip: int) -> _Line:
        table = self.timetable
        key = (int(table.trip_pattern[trip]), int(table.trip_shape[trip]))
        if key not in self._lines:
            line, line_m, along = line_of_trip(table, trip)
            at_lat = float(line[0, 0])
            xy = flat(line, at_lat)
            step = np.diff(xy, axis=0)
            self._lines[key] = _Line(at_lat, xy[:-1], step, np.maximum((step * step).sum(axis=1), 1e-9), line_m, along.tolist())
        return self._lines[key]

    def _records(self, vehicle: VehiclePosition, candidate: Candidate, fit: Fit) -> tuple[VehiclePosition, TripUpdate]:
        table = self.timetable
        trip_id = table.trip_ids[candidate.trip].partition(":")[2]
        date = dt.date.fromordinal(table.first_date + candidate.day).strftime("%Y%m%d")
        self._last[vehicle.entity] = (candidate.trip, candidate.day, vehicle.observed_at)
        call = int(table.first_stop_time[candidate.trip]) + fit.next_call
        stop = int(table.stops_of_trip(candidate.trip)[fit.next_call])
        stop_id = table.stop_ids[stop].partition(":")[2]
        route_id = table.route_ids[int(table.trip_route[candidate.trip])].partition(":")[2]
        matched = msgspec.structs.replace(
            vehicle, matched_trip_id=trip_id, start_date=date, delay_s=fit.delay_s, route_id=route_id, stop_id=stop_id,
            stop_sequence=int(table.stop_sequence[call]),
        )  # fmt: skip
        direction = int(table.trip_direction[candidate.trip])
        update = TripUpdate(
            feed=vehicle.feed, entity=f"{trip_id}|{date}", observed_at=vehicle.observed_at, received_at=vehicle.received_at,
            valid_until=vehicle.observed_at + VALID_S, provenance=vehicle.provenance, static_feed=vehicle.static_feed,
            trip_id=trip_id, route_id=route_id, direction_id=direction if direction >= 0 else None, start_date=date,
            start_time_s=int(table.trip_start_s[candidate.trip]),
            stop_times=(
                StopTimeUpdate(
                    stop_sequence=int(table.stop_sequence[call]), stop_id=stop_id, arrival_delay_s=fit.delay_s,
                    departure_delay_s=fit.delay_s,
                ),
            ),
        )  # fmt: skip
        return matched, update


def _spots(vehicle: VehiclePosition, line: _Line) -> list[tuple[float, float]]:
    """Places on the line where the vehicle may be: (distance along, distance off), one per stretch of the line near it."""
    point = flat(np.array([[vehicle.lat, vehicle.lon]]), line.at_lat)[0]
    part = np.clip(((point - line.start) * line.step).sum(axis=1) / line.size, 0, 1)
    off = np.hypot(*(line.start + part[:, None] * line.step - point).T)
    near = off <= min(MAX_OFF_LINE_M, float(off.min()) + NEARLY_M)
    if vehicle.bearing_deg is not None and (vehicle.speed_kmh or 0) >= MOVING_KMH:
        heading = np.degrees(np.arctan2(line.step[:, 0], line.step[:, 1]))
        near &= np.abs((heading - vehicle.bearing_deg + 180) % 360 - 180) <= MAX_TURN_DEG
    pieces = np.flatnonzero(near)
    spots: list[tuple[float, float]] = []
    for run in np.split(pieces, np.flatnonzero(np.diff(pieces) > 1) + 1):
        if len(run):
            piece = int(run[np.argmin(off[run])])
            along = line.line_m[piece] + part[piece] * (line.line_m[piece + 1] - line.line_m[piece])
            spots.append((float(along), float(off[piece])))
    return spots
