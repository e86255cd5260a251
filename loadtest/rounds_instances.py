"""Readers of public delivery instances: MAMUT (time-dependent), Solomon and Homberger, Li and Lim."""

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from routing.rounds.api import Depot, Problem, Shipment, TimeWindow, TravelTimes, Vehicle, Visit

F64 = npt.NDArray[np.float64]
VEHICLES_FIRST = 1e6
"""Fixed cost of a vehicle under the objective `vehicles-distance`: no distance saved is worth one."""


@dataclass(frozen=True)
class Instance:
    """A problem with its travel times; `customer[v]` is the number of visit v in the file."""

    name: str
    problem: Problem
    travel_times: TravelTimes
    time_dependent: bool
    customer: tuple[int, ...]
    best_known: dict[str, Any] = field(default_factory=dict)


def read_instance(path: Path, objective: str, rounding: str) -> Instance:
    """Read any of the formats (told by name and columns); see `loadtest.rounds` for objective and rounding.

    Raises
    ------
    ValueError
        The file is in none of them.
    """
    if path.name.endswith((".vrp.json", ".vrp.json.gz")):
        return _read_mamut(path, objective)
    return _read_static(path, objective, rounding)


def _read_json(path: Path) -> Any:
    if not path.exists():
        path = path.with_name(path.name + ".gz")
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)


def _costs(objective: str) -> dict[str, float]:
    return {
        "duration": {"cost_per_s": 1.0, "cost_per_m": 0.0, "fixed_cost": 0.0},
        "distance": {"cost_per_s": 0.0, "cost_per_m": 1.0, "fixed_cost": 0.0},
        "vehicles-distance": {"cost_per_s": 0.0, "cost_per_m": 1.0, "fixed_cost": VEHICLES_FIRST},
    }[objective]


def _fleet(count: int, capacity: int, window: TimeWindow, objective: str) -> tuple[Vehicle, ...]:
    costs = _costs(objective)
    return tuple(
        Vehicle(f"v{k}", 0, 0, (capacity,), window, fixed_cost=costs["fixed_cost"], cost_per_s=costs["cost_per_s"],
                cost_per_m=costs["cost_per_m"])
        for k in range(count)
    )  # fmt: skip


def _read_mamut(path: Path, objective: str) -> Instance:
    if objective != "duration":
        raise ValueError(f"{path.name}: time-dependent instances give no distances, use --objective duration")
    data = _read_json(path)
    n = data["num_customers"] + 1
    windows = data.get("time_windows") or [data["horizon"]] * n
    td = data["td"]
    if td["model"] == "igp-profile":
        travel_times = _speed_profile(data, path)
    else:
        arcs = _read_json(path.parent / td["atf_path"])["arcs"]
        travel_times = TravelTimes.functions(n, {(i, j): (xs, ys) for i, j, xs, ys in arcs})
    depot = Depot("depot", 0, TimeWindow(*windows[0]))
    shipments = tuple(
        Shipment(str(c), (int(data["demands"][c]),), delivery=Visit(c, data["service_times"][c], (TimeWindow(*windows[c]),)))
        for c in range(1, n)
    )
    fleet = _fleet(data.get("num_vehicles") or n - 1, int(data["vehicle_capacity"]), depot.window, objective)
    best = path.with_name(path.name.replace(".vrp.json", ".bks.Duration.json").removesuffix(".gz"))
    known = {"cost": _read_json(best)["cost"]} if best.exists() else {}
    return Instance(
        data["instance_name"], Problem(n, (depot,), fleet, shipments), travel_times, True, tuple(range(1, n)), known
    )


def _speed_profile(data: dict[str, Any], path: Path) -> TravelTimes:
    """Speeds per period and category of arc (Ichoua, Gendreau and Potvin 2003)."""
    td = data["td"]
    table = _read_json(path.parent / td["categories_path"])["categories"]
    category = np.array([[int(x) for x in row] for row in table])
    at = np.array(data["coordinates"], float)
    distance = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    return TravelTimes.speeds(distance, category, [period[0] for period in td["time_periods"]], td["speeds"])


def _read_static(path: Path, objective: str, rounding: str) -> Instance:
    header, rows = None, []
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        try:
            numbers = [float(x) for x in line.split()]
        except ValueError:
            continue
        if len(numbers) in (2, 3) and header is None:
            header = numbers
        elif len(numbers) in (7, 9):
            rows.append(numbers)
    if header is None or not rows:
        raise ValueError(f"{path}: neither a Solomon/Homberger nor a Li & Lim file (no header or no rows of 7 or 9 numbers)")
    at = np.array([row[1:3] for row in rows])
    distance = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    if rounding == "dimacs":
        distance = np.floor(10 * distance + 1e-9) / 10
    depot = Depot("depot", 0, TimeWindow(rows[0][4], rows[0][5]))
    shipments, customer = [], []

    def visit(c: int) -> Visit:
        return Visit(c, rows[c][6], (TimeWindow(rows[c][4], rows[c][5]),))

    for c in range(1, len(rows)):
        if len(rows[c]) == 7:
            shipments.append(Shipment(str(c), (int(rows[c][3]),), delivery=visit(c)))
            customer.append(c)
        elif rows[c][8]:
            other = int(rows[c][8])
            shipments.append(Shipment(f"{c}-{other}", (int(rows[c][3]),), pickup=visit(c), delivery=visit(other)))
            customer += [c, other]
    problem = Problem(len(rows), (depot,), _fleet(int(header[0]), int(header[1]), depot.window, objective), tuple(shipments))
    known = {}
    file = path.parent / "BKS.json"
    if file.exists():
        found = json.loads(file.read_text()).get(path.stem.lower(), {})
        known = {"cost": found.get("best_known_cost"), "vehicles": found.get("solved_with_vehicles")} if found else {}
    return Instance(path.stem, problem, TravelTimes.static(distance, distance), False, tuple(customer), known)
