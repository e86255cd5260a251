"""Driving a given way through travel-time functions, from a departure on or back from a deadline."""

import numpy as np

from routing.kernels.cch_customise import FAR
from routing.kernels.jit import kernel
from routing.kernels.street_types import Float32, Int32, Int64, Number
from routing.kernels.td_functions import CLOSED, arrival, departure


@kernel
def drive(depart_ms: Number, work_ms: Int32, profile: Int32, cost_ms: Int32, pace: Float32, enter_ms: Int64) -> Number:
    """Drive arcs one after the other; arrival, or `FAR` if one of them is closed.

    Parameters
    ----------
    depart_ms : int
    work_ms, profile, cost_ms : int32[a]
        What there is to drive of every arc, its profile, and the time lost in the turn behind it.
    pace : float32[slots, profiles]
    enter_ms : int64[a]
        Out: when every arc is entered.
    """
    now: Number = np.int64(depart_ms)
    for i in range(len(work_ms)):
        if work_ms[i] == CLOSED or cost_ms[i] == CLOSED:
            return np.int64(FAR)
        enter_ms[i] = now
        now = arrival(now, work_ms[i], profile[i], pace) + cost_ms[i]
        if now >= FAR:
            return np.int64(FAR)
    return now


@kernel
def drive_back(deadline_ms: Number, work_ms: Int32, profile: Int32, cost_ms: Int32, pace: Float32) -> Number:
    """Latest departure with which the arcs are driven by the deadline; -1 if there is none. Arguments as `drive`."""
    now: Number = np.int64(deadline_ms)
    for i in range(len(work_ms) - 1, -1, -1):
        if work_ms[i] == CLOSED or cost_ms[i] == CLOSED:
            return np.int64(-1)
        now = departure(now - cost_ms[i], work_ms[i], profile[i], pace)
        if now < 0:
            return np.int64(-1)
    return now


@kernel
def turns_along(
    arcs: Int32, arc_first_state: Int32, arc_states: Int32, first_edge: Int32, edge_to: Int32, edge_arc: Int32, turn_ms: Int32,
    cost_ms: Int32,
) -> bool:  # fmt: skip
    """Time lost in the turn behind every arc of a way on a network of arcs (`cost_ms` int32[a], 0 behind the last).

    The way begins in the plain state of its first arc. False if it takes a turn that the network does not have.
    """
    cost_ms[:] = 0
    if arc_first_state[arcs[0]] == arc_first_state[arcs[0] + 1]:
        return len(arcs) == 1
    state = np.int64(arc_states[arc_first_state[arcs[0]]])
    for i in range(len(arcs) - 1):
        follower = np.int64(-1)
        for e in range(first_edge[state], first_edge[state + 1]):
            for s in range(arc_first_state[arcs[i + 1]], arc_first_state[arcs[i + 1] + 1]):
                if arc_states[s] == edge_to[e] and (follower < 0 or turn_ms[e] < cost_ms[i]):
                    follower = np.int64(edge_to[e])
                    cost_ms[i] = turn_ms[e]
        if follower < 0 or edge_arc[first_edge[state]] != arcs[i]:
            return False
        state = follower
    return True
