"""Records of delivery problems, and what is read off them.

V vehicles, m visits, k shipments, D load dimensions. A route is an array of visit indices.
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from routing.kernels.jit import inlined
from routing.kernels.rounds_times import F64, I32, I64, Records, service_start

VISIT = np.dtype(
    [
        ("location", np.int64),
        ("first_window", np.int64),
        ("last_window", np.int64),
        ("shipment", np.int64),
        ("partner", np.int64),
        ("is_delivery", np.bool_),
        ("is_reload", np.bool_),
    ],
    align=True,
)
"""A visit; its windows are ``windows[first_window:last_window]``; `partner` is the other visit of a pair, -1 without. A
reload is a visit of its vehicle to a depot where all for the depot is unloaded and all of the next trip is loaded."""
WINDOW = np.dtype([("opens_s", np.float64), ("closes_s", np.float64)])
SHIPMENT = np.dtype(
    [("penalty", np.float64), ("first_visit", np.int64), ("last_visit", np.int64), ("is_reload", np.bool_)], align=True
)
"""A shipment; its visits are ``first_visit:last_visit``, the pickup first. Reloads are shipments of nothing, of one visit."""
VEHICLE = np.dtype(
    [
        ("start_location", np.int64),
        ("end_location", np.int64),
        ("leave_from_s", np.float64),
        ("leave_by_s", np.float64),
        ("return_by_s", np.float64),
        ("max_duration_s", np.float64),
        ("max_length_m", np.float64),
        ("max_stops", np.int64),
        ("profile", np.int64),
        ("fixed_cost", np.float64),
        ("cost_per_s", np.float64),
        ("cost_per_m", np.float64),
        ("cost_per_driving_s", np.float64),
        ("first_break", np.int64),
        ("last_break", np.int64),
        ("overtime_after_s", np.float64),
        ("overtime_per_s", np.float64),
        ("service_class", np.int64),
        ("balance_per_s2", np.float64),
        ("max_driving_s", np.float64),
        ("max_daily_s", np.float64),
        ("rest_s", np.float64),
        ("first_part_s", np.float64),
        ("second_part_s", np.float64),
        ("rests_waiting", np.bool_),
        ("driven_s", np.float64),
        ("driven_today_s", np.float64),
        ("part_taken", np.bool_),
        ("first_reload", np.int64),
        ("last_reload", np.int64),
        ("max_reloads", np.int64),
        ("kind", np.int64),
    ]
)
"""A vehicle; `end_location` -1 = open end; its breaks are ``breaks[first_break:last_break]``, the visits where it may
reload ``first_reload:last_reload``, of which it makes `max_reloads` at most. From `max_driving_s` on: its
driver's rules (`rounds_driving`), inf = none. Those of one `kind` are alike."""
BREAK = np.dtype([("earliest_s", np.float64), ("latest_s", np.float64), ("duration_s", np.float64)])


class ProblemArrays(NamedTuple):
    """A `Problem` as arrays; the records are those above.

    Attributes
    ----------
    visits : VISIT[m]
    windows : WINDOW[…]
    shipments : SHIPMENT[k]
    vehicles : VEHICLE[V]
    breaks : BREAK[…]
    demand : int64[k, D]
    capacity : int64[V, D]
    service_s : float64[c, m]
        Time at the stop, by the vehicle's class of service.
    dislike : float32[k, V]
        Cost of the shipment in a vehicle; inf = it may not ride there.
    bond_first : int64[k + 1]
    bond_other, bond_apart : int32[…], bool[…]
        Shipments to ride together, or apart, with shipment s: ``bond_other[bond_first[s]:bond_first[s + 1]]``.
    due : float64[m, 2]
        When the service is to start, and the cost of every second after.
    max_ride_s : float64[k]
        Longest time from the end of the pickup's service to the start of the delivery's.
    special : bool[k]
        Whether the shipment has either: rounds with it are timed whole (`rounds_whole`).
    """

    visits: Records
    windows: Records
    shipments: Records
    vehicles: Records
    breaks: Records
    demand: I64
    capacity: I64
    service_s: F64
    dislike: npt.NDArray[np.float32]
    bond_first: I64
    bond_other: npt.NDArray[np.int32]
    bond_apart: npt.NDArray[np.bool_]
    due: F64
    max_ride_s: F64
    special: npt.NDArray[np.bool_]


@inlined
def service_of(problem: ProblemArrays, r: int, v: int) -> float:
    """Time vehicle `r` takes for the service of visit `v`."""
    return problem.service_s[problem.vehicles[r].service_class, v]


@inlined
def time_cost(problem: ProblemArrays, r: int, lasts: float) -> float:
    """Cost of a round that lasts so long, overtime and balance included."""
    over = lasts - problem.vehicles[r].overtime_after_s
    cost = problem.vehicles[r].cost_per_s * lasts + problem.vehicles[r].balance_per_s2 * lasts * lasts
    return cost + problem.vehicles[r].overtime_per_s * over if over > 0.0 else cost


@inlined
def is_ruled(problem: ProblemArrays, r: int) -> bool:
    """Whether the driver of vehicle `r` rests by the time driven."""
    return problem.vehicles[r].max_driving_s < np.inf or problem.vehicles[r].max_daily_s < np.inf


@inlined
def rests(problem: ProblemArrays, r: int) -> bool:
    """Whether the driver of vehicle `r` takes breaks, or rests by the time driven."""
    return problem.vehicles[r].last_break > problem.vehicles[r].first_break or is_ruled(problem, r)


@inlined
def serve(problem: ProblemArrays, r: int, v: int, t: float) -> float:
    """Departure of vehicle `r` after serving visit `v` when arriving at `t`; inf = too late."""
    start = service_start(problem.windows, problem.visits[v].first_window, problem.visits[v].last_window, t)
    return start + service_of(problem, r, v)


@inlined
def location_before(problem: ProblemArrays, r: int, route: I32, k: int) -> int:
    """Location the vehicle drives from to reach position `k` of the route."""
    return problem.vehicles[r].start_location if k == 0 else problem.visits[route[k - 1]].location
