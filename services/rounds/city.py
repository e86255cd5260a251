"""The city the rounds service plans in: streets, predicted traffic, places; and travel times between stops."""

import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from traboule.common.v1 import geo_pb2, stamp_pb2
from traboule.rounds.v1 import problem_pb2 as pb

from routing.forecast.traffic import TrafficForecast, TrafficProfile
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.model.timetable import index_of
from routing.rounds.api import TravelTimes
from routing.rounds.growing import GrowingTimes
from routing.street.access_rules import AccessRules, EmissionClass
from routing.street.api import Snaps, StreetEngine, StreetMetric
from routing.street.pair_functions import FAR, fill_slots, stitch_in_place, wait_until_open
from services.city.snapshot import CitySnapshot
from services.common.clock import CityClock
from services.common.errors import InvalidInput, NotFound
from services.common.live.closures import closure_rules
from services.common.live.traffic import LiveTraffic
from services.rounds.built import BuiltTimes, KeptTimes
from services.rounds.incidents import CityIncidents, RoadIncident, in_force, incident_changes
from services.rounds.kerb import add_parking, parked
from services.rounds.kerb_mapping import Kerbs
from services.rounds.lengths import Lengths, Metres
from services.rounds.mapping import MOTOR_MODES, MappedProblem, Point
from services.rounds.zones import RoundsZones

T = TypeVar("T")
__all__ = ["BuiltTimes", "KeptTimes", "RoundsCity"]
MOST_SEARCHES = 600
"""Street searches for one problem without hierarchies; where a quarter of an hour would need more, hierarchies are built."""
MOST_CELLS = 60_000_000
"""Durations of one problem (240 MB): slots are made longer (15 minutes to 4 hours) until they fit."""
SLOT_LENGTHS_S = (900, 1800, 3600, 7200, 14400)
NEW_LOCATION_SLOTS = 16
"""Slots to come whose speeds are looked at for a location that joins a problem; times are linear between them."""
NEW_LOCATION_EVERY = 3
"""Every so many slots to come are enough for it."""
SNAP_DISTANCE_M = 500.0
CLOSURES_LAST_S = 3 * 3600
"""Closures without an end are taken to last this long from now on."""
KEPT_METRICS = 64


class RoundsCity:
    """One city snapshot with its traffic; `traffic` is replaced as it changes, a request keeps the one it took.

    Parameters
    ----------
    snapshot : CitySnapshot
    clock : CityClock
    """

    def __init__(self, snapshot: CitySnapshot, clock: CityClock, street: StreetEngine | None = None) -> None:
        self.snapshot, self._clock = snapshot, clock
        self.street = street or StreetEngine(snapshot.street, hierarchies=snapshot.hierarchies)
        self.forecast = TrafficForecast.for_city(self.street.graph, TrafficProfile.urban(snapshot.timezone))
        self.zones, self.incidents = RoundsZones(snapshot), CityIncidents(self.street)
        self.traffic: LiveTraffic | None = None
        self.kept = KeptTimes()
        self._metrics: OrderedDict[tuple[object, ...], StreetMetric] = OrderedDict()
        self.lengths = Lengths(snapshot)
        self._by_reference: dict[str, int] | None = None
        self._building = threading.Lock()

    def now(self) -> int:
        """City time, unix seconds."""
        return int(self._clock.now())

    def stamp(self, traffic: LiveTraffic | None) -> stamp_pb2.AnswerStamp:
        """What an answer was computed from."""
        return stamp_pb2.AnswerStamp(
            city=self.snapshot.name,
            snapshot_id=self.snapshot.id,
            snapshot_epoch=self.snapshot.epoch,
            traffic_epoch=0 if traffic is None else traffic.epoch,
            generated_unix_s=self.now(),
        )

    @property
    def rate(self) -> float:
        """City seconds that pass each second."""
        return self._clock.rate

    def resolve(self, location: geo_pb2.Location, path: str) -> Point:
        """Coordinates of a request's location; NotFound for unknown ids, InvalidInput outside the city."""
        match location.WhichOneof("location"):
            case "point":
                point = (location.point.lat_deg, location.point.lon_deg)
            case "stop_id":
                point = self._stop(location.stop_id, path)
            case "place_id":
                point = self._place(location.place_id, path)
            case _:
                raise InvalidInput(f"{path}: give a point, a place_id or a stop_id", field=path)
        if not self.snapshot.bbox.contains(*point):
            swapped = self.snapshot.bbox.contains(point[1], point[0])
            advice = "are latitude and longitude swapped?" if swapped else "give a place inside the city"
            raise InvalidInput(
                f"{path}: {point[0]:.5f}, {point[1]:.5f} lies outside {self.snapshot.name}; {advice}", field=path
            )
        return point

    def build_times(self, mapped: MappedProblem, incidents: tuple[RoadIncident, ...] = ()) -> BuiltTimes:
        """Travel times between all locations for every mode; CPU work of seconds, to be run in a thread.

        Raises
        ------
        InvalidInput
            A location is not near any street; the message names its field.
        """
        return self.build_times_under(self.traffic, mapped, incidents)

    def build_times_under(
        self, traffic: LiveTraffic | None, mapped: MappedProblem, incidents: tuple[RoadIncident, ...]
    ) -> BuiltTimes:
        """Travel times as `build_times`, under some traffic."""
        places = tuple(self._snap(mapped.points, mapped.fields, mode) for mode in mapped.modes)
        snaps = tuple(self._with_bays(mapped, mode, own) for mode, own in zip(mapped.modes, places, strict=True))
        slots, n = self._slots(mapped), len(mapped.points) + len(mapped.kerbs.points)
        durations = np.empty((len(mapped.modes), len(slots), n, n), np.int32)
        made: dict[tuple[object, ...], int] = {}
        for p, mode in enumerate(mapped.modes):
            if (same := made.setdefault((mode, self.zones.by_slot(mapped, slots, p)), p)) != p:
                durations[p] = durations[same]
                continue
            if mode not in MOTOR_MODES:
                self.slot_matrix(p, mapped, traffic, (), snaps[p], slots[:1], 0, durations[p, 0])
                stitch_in_place(slots[:1], durations[p, :1])
                durations[p, 1:] = durations[p, 0]
                continue
            self.slot_matrices(p, mapped, traffic, incidents, snaps[p], slots, range(len(slots)), durations[p])
            stitch_in_place(slots, durations[p])
            wait_until_open(slots, durations[p])
        times, stands = parked(mapped, slots, durations, snaps)
        built = TravelTimes.slots(slots, times, self._all_lengths(mapped, places))
        notes = self.zones.notes(mapped, slots, places)
        return BuiltTimes(built, places, slots, traffic, notes, tuple(mapped.parking_s), incidents, stands)

    def _with_bays(self, mapped: MappedProblem, mode: StreetMode, places: Snaps) -> Snaps:
        """Locations, then bays; who needs none is not asked to get there."""
        count, bays = len(places), mapped.kerbs
        if not bays.points:
            return places
        new = (
            self._snap(bays.points, bays.fields, mode)
            if mode in MOTOR_MODES
            else places.take(np.zeros(len(bays.points), np.int64))
        )
        return _joined(places, count, new)

    def _need_hierarchy(self, mode: StreetMode, searches: int) -> None:
        """Build the mode's hierarchy if it has none and so many searches would take longer."""
        if searches > MOST_SEARCHES and self.street.searcher(mode).hierarchy is None:
            with self._building:
                self.street.hierarchy(mode)

    @staticmethod
    def each_slot(slots: Iterable[int], work: Callable[[int], T]) -> list[T]:
        """Do `work` for every slot's number, side by side: kernels release the GIL."""
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
            return list(threads.map(work, slots))

    def slot_matrices(
        self, p: int, mapped: MappedProblem, traffic: LiveTraffic | None, incidents: tuple[RoadIncident, ...], snaps: Snaps,
        slots: npt.NDArray[np.float64], wanted: range, out_ms: npt.NDArray[np.int32],
    ) -> None:  # fmt: skip
        """Matrices of the wanted slots, the first of them into ``out_ms[0]``, by several threads."""
        self._need_hierarchy(mapped.modes[p], len(snaps) * len(wanted))

        def work(k: int) -> None:
            self.slot_matrix(p, mapped, traffic, incidents, snaps, slots, k, out_ms[k - wanted.start])

        self.each_slot(wanted, work)

    def slot_matrix(
        self, p: int, mapped: MappedProblem, traffic: LiveTraffic | None, incidents: tuple[RoadIncident, ...], snaps: Snaps,
        slots: npt.NDArray[np.float64], k: int, out_ms: npt.NDArray[np.int32],
    ) -> None:  # fmt: skip
        """Milliseconds between all locations at the speeds in the middle of slot `k`, or at the only moment there is."""
        metric = self.slot_metric(p, mapped, traffic, incidents, slots, k)
        out_ms[:] = np.minimum(self.street.many_to_many(metric, snaps, snaps), FAR)
        np.fill_diagonal(out_ms, 0)

    def slot_metric(
        self, p: int, mapped: MappedProblem, traffic: LiveTraffic | None, incidents: tuple[RoadIncident, ...],
        slots: npt.NDArray[np.float64], k: int,
    ) -> StreetMetric:  # fmt: skip
        """Weights of the streets in slot `k`: those of its middle, with all zones and incidents that hold at any time of it."""
        half = float(slots[1] - slots[0]) / 2 if len(slots) > 1 else 0.0
        rows, slow = self.zones.in_slot(mapped, slots, p, k), in_force(incidents, mapped.zero_s, slots, k)
        return self.metric(mapped.modes[p], mapped.zero_s + slots[k] + half, mapped.kind, traffic, rows, slow)

    def extend_times(self, built: BuiltTimes, before: int, mapped: MappedProblem) -> BuiltTimes:
        """Times of a problem that only has more locations (from index `before` on) than the one `built` is for."""
        same = len(mapped.points) == before and tuple(mapped.parking_s) == built.parking_s
        if same and mapped.kerbs == (Kerbs() if built.parked is None else built.parked.kerbs):
            return built
        if mapped.kerbs.at or built.parked is not None:
            return self.build_times_under(built.traffic, mapped, built.incidents)
        times = _with_longer_parking(built, before, mapped)
        return self.grow_times(GrowingTimes(times, len(mapped.points) - before, before), built, mapped)

    def grow_times(self, growing: GrowingTimes, built: BuiltTimes, mapped: MappedProblem) -> BuiltTimes:
        """Add the locations of `mapped` that `growing` does not cover yet, one row and one column for each, in place."""
        before, n = growing.used, len(mapped.points)
        new = range(before, n)
        points, fields = mapped.points[before:], mapped.fields[before:]
        snaps = tuple(_joined(built.snaps[p], before, self._snap(points, fields, mode)) for p, mode in enumerate(mapped.modes))
        present_s = self._clock.now() - mapped.zero_s
        rows = np.zeros((len(mapped.modes), len(built.slots_s), len(new), n), np.int32)
        columns = np.zeros((len(mapped.modes), len(built.slots_s), n, len(new)), np.int32)
        for p, mode in enumerate(mapped.modes):
            slots = built.slots_s if mode in MOTOR_MODES else built.slots_s[:1]
            count = len(slots)
            row, column = rows[p, :count], columns[p, :count]
            present = min(max(0, int(np.searchsorted(slots, present_s, "right")) - 1), count - 1)
            wanted = min(NEW_LOCATION_SLOTS, math.ceil((count - present) / NEW_LOCATION_EVERY) + 1)
            spread = np.append(0, np.linspace(present, count - 1, wanted).round().astype(int))
            turns = incident_changes(built.incidents, mapped.zero_s, slots)
            some = np.unique(np.concatenate([spread, self.zones.changes(mapped, slots, p), turns]))
            work = partial(self._new_times, p, mapped, built, snaps[p], slots, before, row, column)
            some = np.append(0, some[some >= present])
            self.each_slot(some[1:], work)
            row[0], column[0] = row[present], column[present]  # what is past does not matter
            for table in (row, column):
                fill_slots(some, table)
                stitch_in_place(slots, table)
                wait_until_open(slots, table)
            rows[p, count:], columns[p, count:] = row[-1], column[-1]
            add_parking(mapped, p, mapped.parking_s, rows[p])
            add_parking(mapped, p, mapped.parking_s[before:], columns[p])
        for i in new:
            own = self._new_lengths(mapped, snaps, i)
            growing.add(rows[:, :, i - before, : i + 1], columns[:, :, : i + 1, i - before], own)
        notes = self.zones.notes(mapped, built.slots_s, snaps)
        exact = before if built.exact is None else built.exact
        return BuiltTimes(
            growing.times, snaps, built.slots_s, built.traffic, notes, tuple(mapped.parking_s), built.incidents, exact=exact
        )

    def drive_s(self, mapped: MappedProblem, built: BuiltTimes, p: int, source: Point, target: Point, at_s: float) -> float:
        """Seconds a vehicle of profile `p` takes from one point to another that sets off at engine time `at_s`."""
        snaps = self._snap([source, target], ["position.location", "stop"], mapped.modes[p])
        moment = mapped.zero_s + 900.0 * (at_s // 900.0)
        slow = in_force(built.incidents, mapped.zero_s, np.array([-np.inf, at_s, at_s + 1.0]), 1)
        metric = self.leg_metric(mapped.modes[p], moment, mapped.kind, self.traffic, (), slow)
        found = int(self.street.one_to_many(metric, snaps, 0, snaps)[1])
        if found == UNREACHABLE_MS:
            raise InvalidInput(
                "position.location: no way leads from there to the vehicle's next stop", field="position.location"
            )
        return found / 1000.0

    def _new_times(
        self, p: int, mapped: MappedProblem, built: BuiltTimes, snaps: Snaps, slots: npt.NDArray[np.float64],
        before: int, rows: npt.NDArray[np.int32], columns: npt.NDArray[np.int32], k: int,
    ) -> None:  # fmt: skip
        """Milliseconds from and to the locations from `before` on at a slot's speeds, into ``rows[k]`` and ``columns[k]``."""
        half = float(slots[1] - slots[0]) / 2 if len(slots) > 1 else 0.0
        at_s, rules = mapped.zero_s + slots[k] + half, self.zones.in_slot(mapped, slots, p, k)
        slow = in_force(built.incidents, mapped.zero_s, slots, k)
        metric = self.leg_metric(mapped.modes[p], at_s, mapped.kind, built.traffic, rules, slow)
        for i in range(before, len(snaps)):
            rows[k, i - before] = np.minimum(self.street.one_to_many(metric, snaps, i, snaps), FAR)
            columns[k, :, i - before] = np.minimum(self.street.many_to_one(metric, snaps, snaps, i), FAR)

    def metric(
        self, mode: StreetMode, at_s: float, kind: "pb.TravelTimes.ValueType", traffic: LiveTraffic | None,
        rows: tuple[int, ...] = (), incidents: tuple[RoadIncident, ...] = (),
    ) -> StreetMetric:  # fmt: skip
        """Weights of the streets at a moment: predicted traffic unless free flow was asked for; `rows` of zones' rules hold."""
        closed: npt.NDArray[Any] | None = self.zones.closed(rows)
        if mode not in MOTOR_MODES:
            return self.street.metric(mode, None, closed)
        if kind == pb.TRAVEL_TIMES_FREE_FLOW:
            return self.street.metric(mode, *self.incidents.lay(incidents, None, closed))
        if traffic is None:
            return self.street.metric(mode, *self.incidents.lay(incidents, self.forecast.arc_speed_kmh(at_s), closed))
        speeds = self.forecast.speed_at_with_live(traffic.arc_speed_kmh, traffic.arc_observed_s, traffic.at)(int(at_s))
        rules = AccessRules(self.street.graph.arc_count, closure_rules(traffic, CLOSURES_LAST_S))
        if by_events := rules.holding(mode, EmissionClass.ELECTRIC, int(at_s)):
            shut = np.flatnonzero(rules.closed(by_events))
            closed = shut if closed is None else np.union1d(shut, closed)
        return self.street.metric(mode, *self.incidents.lay(incidents, speeds, closed))

    def leg_metric(
        self, mode: StreetMode, at_s: float, kind: "pb.TravelTimes.ValueType", traffic: LiveTraffic | None,
        rows: tuple[int, ...] = (), incidents: tuple[RoadIncident, ...] = (),
    ) -> StreetMetric:  # fmt: skip
        """Weights as `metric`, kept for drawing many legs; safe from several threads (at worst made twice)."""
        free = kind == pb.TRAVEL_TIMES_FREE_FLOW or mode not in MOTOR_MODES
        slow = tuple(one.digest for one in incidents)
        key = (mode, 0 if free else at_s, free, None if traffic is None else traffic.epoch, rows, slow)
        metric = self._metrics.get(key)
        if metric is None:
            metric = self._metrics[key] = self.metric(mode, at_s, kind, traffic, rows, incidents)
            while len(self._metrics) > KEPT_METRICS:
                self._metrics.popitem(last=False)
        return metric

    def _slots(self, mapped: MappedProblem) -> npt.NDArray[np.float64]:
        low, high = mapped.span_s
        if mapped.kind == pb.TRAVEL_TIMES_FREE_FLOW:
            return np.array([0.0])
        if mapped.kind == pb.TRAVEL_TIMES_TYPICAL:
            return np.array([(low + high) / 2])
        cells = len(mapped.modes) * (len(mapped.points) + len(mapped.kerbs.points)) ** 2
        for length in SLOT_LENGTHS_S:
            count = math.ceil((high - low) / length) + 1
            if count * cells <= MOST_CELLS:
                break
        return low + length * np.arange(count, dtype=np.float64)

    def _snap(self, points: list[Point], fields: list[str], mode: StreetMode) -> Snaps:
        lat, lon = np.array([p[0] for p in points]), np.array([p[1] for p in points])
        snaps = self.street.snap(lat, lon, mode, SNAP_DISTANCE_M)
        for k in np.flatnonzero(snaps.arc < 0):
            raise InvalidInput(
                f"{fields[k]}: no street for {mode.name.lower()} within {SNAP_DISTANCE_M:g} m of {lat[k]:.5f}, {lon[k]:.5f}; "
                "move the point to a street",
                field=fields[k],
            )
        return snaps

    def _all_lengths(self, mapped: MappedProblem, snaps: tuple[Snaps, ...]) -> npt.NDArray[np.float64] | None:
        if not mapped.needs_lengths:
            return None
        return np.stack([self.lengths.matrix(mode, own) for mode, own in zip(mapped.modes, snaps, strict=True)])

    def _new_lengths(self, mapped: MappedProblem, snaps: tuple[Snaps, ...], i: int) -> tuple[Metres, Metres] | None:
        """Metres from location `i` to those before it and itself, and back, by profile; None if distances do not count."""
        if not mapped.needs_lengths:
            return None
        stars = [self.lengths.star(mode, own, i) for mode, own in zip(mapped.modes, snaps, strict=True)]
        return np.stack([there[: i + 1] for there, _ in stars]), np.stack([back[: i + 1] for _, back in stars])

    def _stop(self, stop_id: str, path: str) -> Point:
        timetable = self.snapshot.timetable
        index = index_of(timetable).stops.get(stop_id)
        if index is None:
            raise NotFound(f"{path}: stop {stop_id!r} is not in the timetable", field=path)
        return float(timetable.stop_lat_deg[index]), float(timetable.stop_lon_deg[index])

    def _place(self, place_id: str, path: str) -> Point:
        index = self.snapshot.places
        if self._by_reference is None:
            self._by_reference = {reference: i for i, reference in reversed(list(enumerate(index.references)))}
        i = self._by_reference.get(place_id)
        if i is None:
            raise NotFound(f"{path}: place {place_id!r} is not known; take place ids from SearchPlaces", field=path)
        return float(index.lat_e7[i]) * 1e-7, float(index.lon_e7[i]) * 1e-7


def _joined(known: Snaps, count: int, new: Snaps) -> Snaps:
    """The first positions of some, and new ones."""
    fields = ("arc", "fraction", "distance_m", "lat_deg", "lon_deg", "side", "directed")
    return Snaps(*(np.concatenate([getattr(known, name)[:count], getattr(new, name)]) for name in fields))


def _with_longer_parking(built: BuiltTimes, before: int, mapped: MappedProblem) -> TravelTimes:
    """Times with what `mapped` looks longer for a place to stop at the first `before` locations."""
    longer = [now - then for now, then in zip(mapped.parking_s[:before], built.parking_s, strict=False)]
    if not any(longer):
        return built.travel_times
    durations = built.travel_times.arrays.slot_s[:, :, :before, :before].copy()
    for p in range(len(mapped.modes)):
        add_parking(mapped, p, longer, durations[p])
    lengths = built.travel_times.arrays.length_m[:, :before, :before] if built.travel_times.has_lengths else None
    return TravelTimes.slots(built.slots_s, durations, lengths)
