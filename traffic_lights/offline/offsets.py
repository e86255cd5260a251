"""Offsets of a corridor that let the widest bands of green run through in both directions.

First form of MAXBAND with a common cycle and given splits, as an integer program solved by CP-SAT. Bands of one width
a direction; queues at the stop lines and turning traffic are not modelled.

References
----------
J. D. C. Little, M. D. Kelson, N. H. Gartner, "MAXBAND: a program for setting signals on arteries and triangular
networks", Transportation Research Record 795 (1981).
"""

from dataclasses import dataclass

from traffic_lights.errors import InvalidPlanError
from traffic_lights.guard import Guard
from traffic_lights.model.groups import Aspect
from traffic_lights.model.intersection import Intersection
from traffic_lights.model.plan import SignalPlan


@dataclass(frozen=True, slots=True)
class GreenWindow:
    """Green of a direction within the cycle of a plan with offset 0: begin and length in seconds."""

    start_s: int
    green_s: int


@dataclass(frozen=True, slots=True)
class CorridorOffsets:
    """Offsets in the order of the corridor, and the width of the bands (0 = none)."""

    offsets_s: tuple[int, ...]
    forward_band_s: int
    backward_band_s: int


def find_green_window(x: Intersection, plan: SignalPlan, group: int) -> GreenWindow:
    """Longest green of `group` when `plan` (taken with offset 0) runs through the guard; length 0 if it has none."""
    base = plan.with_offset(0)
    guard, cycle = Guard(x, base.stages[0], 0), plan.cycle_s
    shown = [guard.step(t, base.stage_at(t)).aspects[group] for t in range(3 * cycle)][cycle : 2 * cycle]
    green = [a in (Aspect.GREEN, Aspect.GREEN_YIELD) for a in shown]
    best = GreenWindow(0, cycle if all(green) else 0)
    for start in range(cycle):
        if green[start] and not green[start - 1]:
            length = next(n for n in range(1, cycle + 1) if not green[(start + n) % cycle])
            if length > best.green_s:
                best = GreenWindow(start, length)
    return best


def optimise_offsets(
    cycle_s: int,
    forward: tuple[GreenWindow, ...],
    backward: tuple[GreenWindow, ...],
    forward_travel_s: tuple[int, ...],
    backward_travel_s: tuple[int, ...],
    *,
    forward_weight: int = 1,
    backward_weight: int = 1,
    time_limit_s: float = 10.0,
    seed: int = 1,
) -> CorridorOffsets:
    """Offsets (relative to the first intersection) that maximise the weighted sum of both bands.

    Parameters
    ----------
    cycle_s : int
        Common cycle.
    forward, backward : tuple[GreenWindow, ...]
        Green of each direction at the n intersections.
    forward_travel_s, backward_travel_s : tuple[int, ...]
        n - 1 travel times between neighbours, both in the order of the corridor.

    Raises
    ------
    InvalidPlanError
        If the lengths do not match.
    """
    n = len(forward)
    if n < 1 or len(backward) != n or len(forward_travel_s) != n - 1 or len(backward_travel_s) != n - 1:
        raise InvalidPlanError(
            "a corridor of n intersections needs n green windows and n - 1 travel times a direction", "corridor"
        )
    from ortools.sat.python import cp_model  # noqa: PLC0415 - brings pandas along; no start should wait for it

    model = cp_model.CpModel()
    offsets = [model.new_int_var(0, cycle_s - 1, f"offset{i}") for i in range(n)]
    model.add(offsets[0] == 0)
    bands = []
    for name, windows, travel, sign in (("f", forward, forward_travel_s, 1), ("b", backward, backward_travel_s, -1)):
        band = model.new_int_var(0, min(w.green_s for w in windows), f"band_{name}")
        # A direction given up binds nothing.
        wanted = model.new_bool_var(f"wanted_{name}")
        model.add(band == 0).only_enforce_if(~wanted)
        entry = [model.new_int_var(0, max(0, w.green_s), f"entry_{name}{i}") for i, w in enumerate(windows)]
        for i, w in enumerate(windows):
            model.add(entry[i] + band <= w.green_s)
        for i in range(n - 1):
            loops = model.new_int_var(-n - 20, n + 20, f"loops_{name}{i}")
            here, there = offsets[i] + windows[i].start_s + entry[i], offsets[i + 1] + windows[i + 1].start_s + entry[i + 1]
            model.add(there == here + sign * travel[i] + cycle_s * loops).only_enforce_if(wanted)
        bands.append(band)
    model.maximize(forward_weight * bands[0] + backward_weight * bands[1])
    solver = cp_model.CpSolver()
    solver.parameters.num_workers, solver.parameters.random_seed = 1, seed
    solver.parameters.max_time_in_seconds = time_limit_s
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        # A direction without green anywhere leaves nothing to coordinate.
        return CorridorOffsets((0,) * n, 0, 0)
    return CorridorOffsets(
        tuple(int(solver.value(o)) for o in offsets), int(solver.value(bands[0])), int(solver.value(bands[1]))
    )
