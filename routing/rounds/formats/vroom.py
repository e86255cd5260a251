"""Problems of the VROOM solver (https://github.com/VROOM-Project/vroom/blob/master/docs/API.md).

Read are jobs, shipments, vehicles with breaks, skills, priorities, windows, capacities, costs, speed factors and matrices.
What the engine cannot do, and fields that VROOM does not know, are findings that name the field; nothing is ignored.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from routing.rounds.errors import FieldFinding, InvalidProblemError
from routing.rounds.formats.fields import Fields, array, number, whole
from routing.rounds.formats.instance import MOST_CUSTOMERS, Instance
from routing.rounds.problem import Break, Depot, Problem, Shipment, TimeWindow, Vehicle, Visit
from routing.rounds.travel_times import TravelTimes

T = TypeVar("T")
TOP = frozenset({"jobs", "shipments", "vehicles", "matrices", "description"})
JOB = frozenset(
    {"id", "description", "location", "location_index", "setup", "service", "delivery", "pickup", "skills", "priority",
     "time_windows"}
)  # fmt: skip
SHIPMENT = frozenset({"amount", "skills", "priority", "pickup", "delivery"})
STEP = frozenset({"id", "description", "location", "location_index", "setup", "service", "time_windows"})
VEHICLE = frozenset(
    {"id", "profile", "description", "start", "start_index", "end", "end_index", "capacity", "costs", "skills", "time_window",
     "breaks", "speed_factor", "max_tasks", "max_distance"}
)  # fmt: skip
BREAK = frozenset({"id", "time_windows", "service", "description"})
UNSUPPORTED = {
    "steps": "plans of one's own are not read; leave the steps out",
    "max_travel_time": "a longest driving time is not supported; narrow the time window, or give max_distance",
    "max_load": "a break for empty vehicles only is not supported; leave it out",
    "setup_per_type": "setup by type of vehicle is not supported; give one setup",
    "service_per_type": "service by type of vehicle is not supported; give one service",
    "type": "types of vehicles are not supported; leave it out",
    "distance_matrix": "is of an old version; give it as matrices.car.distances",
    "matrix": "is of an old version; give it as matrices.car.durations",
}
WHOLE_DAY_S, WHOLE_WEEK_S = 86_400.0, 604_800.0


def is_vroom(table: object) -> bool:
    """Whether a parsed file looks like one: vehicles, and jobs, matrices or shipments whose pickups have ids."""
    if not isinstance(table, dict) or not isinstance(table.get("vehicles"), list):
        return False
    if "jobs" in table or "matrices" in table:
        return True
    first = next(iter(table.get("shipments") or [None]), None) if isinstance(table.get("shipments"), list) else None
    return isinstance(first, dict) and "shipment_id" not in first and "id" in (first.get("pickup") or {})


def read_vroom(table: object, name: str = "instance") -> Instance:
    """Read a VROOM problem.

    Raises
    ------
    InvalidProblemError
        With a finding for every wrong or unsupported field.
    """
    return _Reader(_known(table, "", TOP)).read(name)


def _known(value: object, path: str, known: frozenset[str]) -> Fields:
    fields = Fields(value, path)
    for key, why in UNSUPPORTED.items():
        if key in fields and key not in known:
            raise InvalidProblemError.of(fields.path(key), why)
    return Fields(value, path, known)


@dataclass
class _Reader:
    """One file; gathers locations, depots, profiles and findings."""

    data: Fields
    findings: list[FieldFinding] = field(default_factory=list)
    points: dict[tuple[float, float], int] = field(default_factory=dict)
    at: dict[int, tuple[float, float]] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    depots: dict[int, int] = field(default_factory=dict)
    profiles: dict[tuple[str, float], int] = field(default_factory=dict)
    setup: bool = False
    indexed: bool = False

    def read(self, name: str) -> Instance:
        """Read everything, then raise all findings at once."""
        self.indexed = "matrices" in self.data
        jobs, pairs, cars = self.data.rows("jobs"), self.data.rows("shipments"), self.data.rows("vehicles")
        if not cars:
            raise InvalidProblemError.of("vehicles", "give at least one vehicle")
        if not jobs and not pairs:
            raise InvalidProblemError.of("jobs", "give at least one job or shipment")
        if len(jobs) + 2 * len(pairs) > MOST_CUSTOMERS:
            raise InvalidProblemError.of("jobs", f"more than {MOST_CUSTOMERS} stops; cut the problem into parts")
        shipments = [one for path, value in jobs if (one := self._try(self._job, value, path))]
        shipments += [pair for path, value in pairs if (pair := self._try(self._shipment, value, path))]
        shift = self._shift(shipments)
        vehicles = [car for path, value in cars if (car := self._try(self._vehicle, value, path, shift))]
        low = min([shift.start_s, *(vehicle.shift.start_s for vehicle in vehicles)])
        high = max([shift.end_s, *(vehicle.shift.end_s for vehicle in vehicles)])
        times = self._try(self._times, None, "matrices") if self.indexed and not self.findings else None
        if not self.indexed and any(factor != 1 for _, factor in self.profiles):
            self.findings.append(FieldFinding("vehicles", "a speed_factor needs matrices: streets say the speeds otherwise"))
        if self.findings:
            raise InvalidProblemError(self.findings)
        dimensions = max([0, *(len(s.load) for s in shipments), *(len(v.capacity) for v in vehicles)])
        self._check_dimensions(shipments, vehicles, dimensions)
        depots = tuple(Depot(f"depot {k}", at, TimeWindow(low, high)) for at, k in self.depots.items())
        count = len(self.points) if times is None else times.location_count
        problem = Problem(count, depots, tuple(vehicles), tuple(shipments))
        order = tuple(int(shipments[s].id.split(" ")[-1]) for s, _ in problem.visits)
        notes = ["costs count from leaving the start to reaching the end, waiting and service included"]
        notes += ["setup is counted at every task, also where two share a place"] if self.setup else []
        return Instance(name, problem, times, order, self._points(count), tuple(p for p, _ in self.profiles), tuple(notes))

    def _points(self, count: int) -> tuple[tuple[float, float], ...] | None:
        """Degrees of every location; beside matrices they may be given for all places in use."""
        if not self.indexed:
            return tuple(self.points)
        return tuple(self.at.get(k, (0.0, 0.0)) for k in range(count)) if self.used <= self.at.keys() else None

    def _try(self, work: Callable[..., T], value: object, path: str, *more: object) -> T | None:
        """The result of `work`, or None with findings kept for later."""
        try:
            return work(value, path, *more)
        except InvalidProblemError as error:
            inside = all(finding.field.startswith(path) for finding in error.findings)
            self.findings += (error if inside else error.within(path)).findings
            return None

    def _job(self, value: object, path: str) -> Shipment:
        job = _known(value, path, JOB)
        brought, taken = job.wholes("delivery"), job.wholes("pickup")
        if any(brought) and any(taken):
            raise InvalidProblemError.of(
                f"{path}.pickup", "a job that delivers and picks up at once is not supported; make it two"
            )
        visit, name = self._visit(job), f"job {job.whole('id')}"
        first, last = (visit, None) if any(taken) else (None, visit)
        load = taken if any(taken) else brought
        return Shipment(name, load, first, last, _skills(job), priority=job.whole("priority", 0))

    def _shipment(self, value: object, path: str) -> Shipment:
        pair = _known(value, path, SHIPMENT)
        first, last = (_known(pair.get(key), f"{path}.{key}", STEP) for key in ("pickup", "delivery"))
        return Shipment(
            f"shipment {last.whole('id')}", pair.wholes("amount"), self._visit(first), self._visit(last),
            _skills(pair), priority=pair.whole("priority", 0),
        )  # fmt: skip

    def _visit(self, task: Fields) -> Visit:
        setup = task.number("setup", 0.0, 0.0)
        self.setup = self.setup or setup > 0
        windows = tuple(_window(value, path) for path, value in task.rows("time_windows"))
        return Visit(self._location(task, "location", "location_index"), setup + task.number("service", 0.0, 0.0), windows)

    def _location(self, fields: Fields, key: str, index_key: str) -> int:
        if self.indexed:
            if index_key not in fields:
                raise InvalidProblemError.of(
                    fields.path(index_key), "is missing: with matrices every place is an index into them"
                )
            index = fields.whole(index_key, low=0)
            self.used.add(index)
            if key in fields:
                self.at[index] = _degrees(fields.get(key), fields.path(key))
            return index
        if key not in fields:
            raise InvalidProblemError.of(fields.path(key), "is missing: give [lon, lat], or matrices and an index")
        return self.points.setdefault(_degrees(fields.get(key), fields.path(key)), len(self.points))

    def _vehicle(self, value: object, path: str, shift: TimeWindow) -> Vehicle:
        car = _known(value, path, VEHICLE)
        keys = [("start", "start_index"), ("end", "end_index")]
        has = [any(key in car for key in pair) for pair in keys]
        if not has[0]:
            raise InvalidProblemError.of(
                f"{path}.start", "is missing: a vehicle without a start is not supported; give its first place"
            )
        start, end = (self._depot(car, *pair) if there else None for pair, there in zip(keys, has, strict=True))
        assert start is not None
        costs = _known(car.get("costs") or {}, f"{path}.costs", frozenset({"fixed", "per_hour", "per_km"}))
        profile = (car.text("profile", "car"), car.number("speed_factor", 1.0, 0.01))
        window = _window(car.get("time_window"), f"{path}.time_window") if "time_window" in car else shift
        return Vehicle(
            f"vehicle {car.whole('id')}", start, end, car.wholes("capacity"), window,
            max_length_m=car.number("max_distance", low=1) if "max_distance" in car else None,
            max_stops=car.whole("max_tasks", low=1) if "max_tasks" in car else None,
            profile=self.profiles.setdefault(profile, len(self.profiles)), skills=_skills(car),
            breaks=tuple(_break(rest, at) for at, rest in car.rows("breaks")), fixed_cost=costs.number("fixed", 0.0, 0.0),
            cost_per_s=costs.number("per_hour", 3600.0, 0.0) / 3600, cost_per_m=costs.number("per_km", 0.0, 0.0) / 1000,
        )  # fmt: skip

    def _depot(self, car: Fields, key: str, index_key: str) -> int:
        return self.depots.setdefault(self._location(car, key, index_key), len(self.depots))

    def _shift(self, shipments: list[Shipment]) -> TimeWindow:
        """Hours of a vehicle that gives none: they hold every window."""
        windows = [w for s in shipments for visit in (s.pickup, s.delivery) if visit for w in visit.windows]
        low = min((window.start_s for window in windows), default=0.0)
        low = low if low > WHOLE_WEEK_S else min(low, 0.0)
        long = WHOLE_WEEK_S if self.indexed else WHOLE_DAY_S
        return TimeWindow(low, max([low + long, *(window.end_s for window in windows)]))

    def _times(self, _value: object, path: str) -> TravelTimes:
        given = Fields(self.data.get("matrices"), path)
        tables = [_known(given.get(name), f"{path}.{name}", frozenset({"durations", "distances"})) for name, _ in self.profiles]
        factors = [factor for _, factor in self.profiles]
        durations = [_matrix(one, "durations") / factor for one, factor in zip(tables, factors, strict=True)]
        lengths = [_matrix(one, "distances") if "distances" in one else None for one in tables]
        sizes = {len(one) for one in [*durations, *(x for x in lengths if x is not None)]}
        if len(sizes) > 1:
            raise InvalidProblemError.of(path, f"all matrices need the same size, not {sorted(sizes)}")
        last = max(self.used, default=0)
        if last >= min(sizes, default=0):
            raise InvalidProblemError.of(path, f"there is an index {last}, the matrices end at {min(sizes, default=0) - 1}")
        known = [one for one in lengths if one is not None]
        if known and len(known) < len(lengths):
            raise InvalidProblemError.of(path, "give distances for all profiles in use or for none")
        return TravelTimes.static(np.stack(durations), np.stack(known) if known else None)

    @staticmethod
    def _check_dimensions(shipments: list[Shipment], vehicles: list[Vehicle], dimensions: int) -> None:
        amounts = [(f"{one.id}: amounts", one.load) for one in shipments if one.load]
        amounts += [(f"{car.id}: capacity", car.capacity) for car in vehicles]
        wrong = [
            FieldFinding(name, f"has {len(numbers)} numbers, others {dimensions}; give as many everywhere")
            for name, numbers in amounts
            if len(numbers) != dimensions
        ]
        if wrong:
            raise InvalidProblemError(wrong)


def _degrees(value: object, path: str) -> tuple[float, float]:
    """(lat, lon) of [lon, lat]."""
    pair = array(value, path)
    if len(pair) != 2:
        raise InvalidProblemError.of(path, f"has {len(pair)} entries; expected [lon, lat]")
    lon, lat = (number(one, path) for one in pair)
    if abs(lat) > 90 or abs(lon) > 180:
        raise InvalidProblemError.of(path, f"[{lon:g}, {lat:g}] is not [lon, lat] in degrees")
    return lat, lon


def _matrix(table: Fields, key: str) -> npt.NDArray[np.float64]:
    rows = [[number(x, path, 0.0) for x in array(row, path)] for path, row in table.rows(key)]
    if not rows:
        raise InvalidProblemError.of(table.path(key), "is missing or empty")
    if any(len(row) != len(rows) for row in rows):
        raise InvalidProblemError.of(table.path(key), f"is not square: {len(rows)} rows, not all of {len(rows)} numbers")
    return np.array(rows)


def _skills(fields: Fields) -> frozenset[str]:
    return frozenset(str(skill) for skill in fields.wholes("skills", -math.inf))


def _window(value: object, path: str) -> TimeWindow:
    ends = array(value, path)
    if len(ends) != 2:
        raise InvalidProblemError.of(path, f"has {len(ends)} entries; expected [start, end]")
    low, high = (whole(end, path) for end in ends)
    if high < low:
        raise InvalidProblemError.of(path, f"ends at {high}, before it begins at {low}")
    return TimeWindow(low, high)


def _break(value: object, path: str) -> Break:
    rest = _known(value, path, BREAK)
    windows = rest.rows("time_windows")
    if len(windows) != 1:
        raise InvalidProblemError.of(f"{path}.time_windows", f"has {len(windows)} windows; one for each break is supported")
    window = _window(windows[0][1], windows[0][0])
    return Break(window.start_s, window.end_s, rest.number("service", 0.0, 0.0))
