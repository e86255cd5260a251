"""MAMUT time-dependent instances (TDVRPTW): ``.vrp.json`` with arrival functions or speed profiles in a second file.

https://github.com/ANR-MAMUT/MAMUT-routing
"""

from collections.abc import Callable

import numpy as np

from routing.rounds.errors import InvalidProblemError
from routing.rounds.formats.fields import Fields, array, number, whole
from routing.rounds.formats.instance import MOST_CUSTOMERS, Instance, build_fleet
from routing.rounds.problem import Depot, Problem, Shipment, TimeWindow, Visit
from routing.rounds.travel_times import TravelTimes

Sidecar = Callable[[str], object]
"""Path of a second file, relative to the first → its parsed content."""


def is_mamut(table: object) -> bool:
    """Whether a parsed file looks like one."""
    return isinstance(table, dict) and "td" in table and "num_customers" in table


def read_mamut(table: object, sidecar: Sidecar, objective: str = "duration") -> Instance:
    """Read a time-dependent instance.

    Raises
    ------
    InvalidProblemError
        Naming the field that is wrong.
    """
    if objective != "duration":
        raise InvalidProblemError.of("objective", "time-dependent instances give no distances; plan for the duration")
    data = Fields(table, "")
    n = data.whole("num_customers", low=1) + 1
    if n > MOST_CUSTOMERS + 1:
        raise InvalidProblemError.of("num_customers", f"more than {MOST_CUSTOMERS} customers; cut the file into parts")
    td = Fields(data.get("td"), "td")
    travel_times = _speed_profile(data, td, n, sidecar) if td.text("model") == "igp-profile" else _functions(td, n, sidecar)
    if "time_windows" in data:
        windows = [_window(value, path) for path, value in data.rows("time_windows")]
    else:
        windows = [_window(data.get("horizon"), "horizon")] * n
    demands, services = data.rows("demands"), data.rows("service_times")
    for name, given in (("time_windows", windows), ("demands", demands), ("service_times", services)):
        if len(given) != n:
            raise InvalidProblemError.of(name, f"has {len(given)} entries; expected {n}, the depot and the customers")
    depot = Depot("depot", 0, windows[0])
    shipments = tuple(
        Shipment(
            str(c),
            (whole(demands[c][1], demands[c][0], 0),),
            delivery=Visit(c, number(services[c][1], services[c][0], 0), (windows[c],)),
        )
        for c in range(1, n)
    )
    count = data.whole("num_vehicles", 0, 0) or n - 1
    fleet = build_fleet(count, data.whole("vehicle_capacity", low=0), depot.window, objective)
    name = data.text("instance_name", "instance")
    return Instance(name, Problem(n, (depot,), fleet, shipments), travel_times, tuple(range(1, n)))


def _functions(td: Fields, n: int, sidecar: Sidecar) -> TravelTimes:
    """One arrival function per pair."""
    file = Fields(sidecar(td.text("atf_path")), "")
    arcs: dict[tuple[int, int], tuple[list[float], list[float]]] = {}
    for path, value in file.rows("arcs"):
        row = array(value, path)
        if len(row) != 4:
            raise InvalidProblemError.of(path, f"has {len(row)} entries; expected tail, head, departures, arrivals")
        tail, head = whole(row[0], path, 0), whole(row[1], path, 0)
        if tail >= n or head >= n:
            raise InvalidProblemError.of(path, f"from {tail} to {head}: there are {n} locations")
        xs, ys = ([number(x, path) for x in array(part, path)] for part in row[2:])
        if len(xs) != len(ys):
            raise InvalidProblemError.of(path, f"has {len(xs)} departures and {len(ys)} arrivals")
        arcs[tail, head] = xs, ys
    return TravelTimes.functions(n, arcs)


def _speed_profile(data: Fields, td: Fields, n: int, sidecar: Sidecar) -> TravelTimes:
    """Speeds per period and category of arc (Ichoua, Gendreau and Potvin 2003)."""
    file = Fields(sidecar(td.text("categories_path")), "")
    try:
        category = np.array([_categories(row, path) for path, row in file.rows("categories")])
        at = np.array(data.get("coordinates"), float)
        periods = np.array(td.get("time_periods"), float)
        speeds = np.array(td.get("speeds"), float)
    except (TypeError, ValueError) as error:
        raise InvalidProblemError.of(
            "td", f"coordinates, categories, time_periods or speeds are not numbers: {error}"
        ) from None
    if at.shape != (n, 2):
        raise InvalidProblemError.of("coordinates", f"has shape {at.shape}; expected a pair for each of {n} locations")
    if periods.ndim != 2 or not periods.size:
        raise InvalidProblemError.of("td.time_periods", "expected pairs of start and end")
    distance = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    return TravelTimes.speeds(distance, category, periods[:, 0], speeds)


def _categories(row: object, path: str) -> list[int]:
    """One row of categories: a string of digits or a list of numbers."""
    return [int(x) for x in (row if isinstance(row, str) else array(row, path))]  # type: ignore[call-overload]


def _window(value: object, path: str) -> TimeWindow:
    ends = array(value, path)
    if len(ends) != 2:
        raise InvalidProblemError.of(path, f"has {len(ends)} entries; expected start and end")
    try:
        return TimeWindow(number(ends[0], path), number(ends[1], path))
    except InvalidProblemError as error:
        raise error if error.field == path else error.within(path) from None
