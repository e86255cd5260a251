"""Travel times that depend on the moment of entry: the speed model of Ichoua, Gendreau and Potvin.

Speed is constant within a slot of `SLOT_MS`; who is still on an arc when a slot ends goes on at the speed of the next one.
An arc is a piece of *work*: its time at free flow. In slot `k` a millisecond of work takes ``pace[k, profile]`` milliseconds.
Driven work grows strictly with the clock, so who enters later never leaves earlier: arrivals are continuous and first in,
first out by construction, whatever the profiles, and the inverse exists everywhere. (Durations interpolated between slots
would have to be checked for slopes below -1, arc by arc, and would need points of their own for every arc.)

Times are integers, milliseconds since the start of slot 0. Rounding and floating-point sums keep their order, hence arrivals
never decrease with the entry (`tests/routing/street/test_travel_time_functions.py`). The last slot never ends.

References
----------
Ichoua, Gendreau, Potvin: Vehicle dispatching with time-dependent travel times. EJOR 144 (2003),
doi:10.1016/S0377-2217(02)00147-9.
"""

from typing import NamedTuple

import numpy as np

from routing.kernels.cch_customise import FAR
from routing.kernels.jit import inlined, kernel
from routing.kernels.street_types import Float32, Int32, Number, UInt16

SLOT_MS = 900_000
"""Length of a slot: a quarter of an hour."""

CLOSED = 2_147_483_647
"""Work (int32) of an arc nobody may enter."""

ROUNDING_SLACK = 0.499
"""Added instead of a half where a lower bound is rounded: a thousandth of a millisecond below what rounding could give."""


class Functions(NamedTuple):
    """Travel times of all arcs.

    Attributes
    ----------
    pace : float32[slots, profiles]
    arc_work_ms : int32[m]
    arc_profile : uint16[m]
    """

    pace: Float32
    arc_work_ms: Int32
    arc_profile: UInt16


class Edges(NamedTuple):
    """Edges of a state graph (see `routing.street.network`), forward, and backward by their numbers.

    Attributes
    ----------
    first, back_first : int32[s + 1]
    to, arc, cost_ms, back_to, back_edge : int32[e]
        `cost_ms` is `CLOSED` where a turn is forbidden: sums with it are later than any label.
    """

    first: Int32
    to: Int32
    arc: Int32
    cost_ms: Int32
    back_first: Int32
    back_to: Int32
    back_edge: Int32


@inlined
def arrival(enter_ms: Number, work_ms: Number, profile: Number, pace: Float32) -> Number:
    """Moment at which `work_ms` begun at `enter_ms` is done; may exceed `FAR`."""
    last = len(pace) - 1
    k: Number = min(np.int64(enter_ms) // SLOT_MS, last)
    at = np.float64(enter_ms)
    left: Number = np.float64(work_ms)
    done = at + left * pace[k, profile]
    end = np.float64((k + 1) * SLOT_MS)
    while done > end and k < last:
        left = max(left - (end - at) / pace[k, profile], 0.0)
        at = end
        k += 1
        end += SLOT_MS
        done = at + left * pace[k, profile]
    return np.int64(np.floor(done + 0.5))


@inlined
def departure(limit_ms: Number, work_ms: Number, profile: Number, pace: Float32) -> Number:
    """Latest moment at which `work_ms` may be begun so that it is done by `limit_ms`; -1 if that is before slot 0."""
    k: Number = min(np.int64(limit_ms) // SLOT_MS, len(pace) - 1)
    if limit_ms < 0:
        return np.int64(-1)
    at = np.float64(limit_ms) + 0.5
    left: Number = np.float64(work_ms)
    begun = at - left * pace[k, profile]
    while k > 0 and begun < k * SLOT_MS:
        left = max(left - (at - k * SLOT_MS) / pace[k, profile], 0.0)
        at = np.float64(k * SLOT_MS)
        k -= 1
        begun = at - left * pace[k, profile]
    moment: Number = min(np.int64(np.floor(begun)), np.int64(limit_ms))
    # The sums above are real numbers: settle what rounding left open on the function itself.
    while moment >= 0 and arrival(moment, work_ms, profile, pace) > limit_ms:
        moment -= 1
    if moment >= -1:
        while moment < limit_ms and arrival(moment + 1, work_ms, profile, pace) <= limit_ms:
            moment += 1
    return max(moment, np.int64(-1))


@kernel
def edge_times(
    functions: Functions, row: Float32, rounding: float, edge_arc: Int32, edge_cost_ms: Int32, out_ms: Int32
) -> None:
    """Weights of all edges if every profile kept the pace `row` (float32[profiles]); `CLOSED` where there is no way.

    `rounding`: 0.5 for the nearest millisecond, `ROUNDING_SLACK` for a lower bound.
    """
    for e in range(len(edge_arc)):
        arc = edge_arc[e]
        work = functions.arc_work_ms[arc]
        if work == CLOSED:
            out_ms[e] = CLOSED
            continue
        time = np.floor(np.float64(work) * row[functions.arc_profile[arc]] + rounding) + edge_cost_ms[e]
        out_ms[e] = np.int32(time) if time < FAR else CLOSED
