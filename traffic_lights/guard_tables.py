"""What the guard knows of an intersection before the first second: durations of transitions and rescue certificates.

A *rescue* runs through `Intersection.rescue_cycle` with shortest stages. `GuardTables.until_green_s` says, for every
stage and every point where the cycle can be entered, how long each group then waits at most. The guard lets a
controller do something only if a rescue started afterwards still keeps every maximum red and maximum green; since the
rescue itself stays feasible for ever (checked here), the limits hold whatever the controller asks.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from traffic_lights.errors import UnsafeIntersectionError
from traffic_lights.model.intersection import Intersection

NEVER_S = 1 << 20
"""Larger than any limit; stands for "not at all"."""

Int = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class GuardTables:
    """Derived limits; g groups, s stages, c entries of the rescue cycle.

    Attributes
    ----------
    clearing_s, max_green_s, max_red_s : int32[g]
    stage_min_s : int32[s]
        Shortest stay in a stage after all its groups turned green.
    transition_s : int32[s, s]
        Duration of a transition when no older intergreen is still running.
    transition_bound_s : int32[s, s]
        Upper bound when one is.
    lead_s : int32[s, s, g]
        A group that ends in the transition loses green this long before the transition is over.
    demote_s : int32[s, s, g]
        A group that stays green but will have to yield to a starting one shows it this long before (0 = no change).
    shows_yield : bool[s, g]
        Groups that show `GREEN_YIELD` in a stage.
    entry_valid : bool[s, c]
        The rescue may be entered there from the stage.
    until_green_s, until_end_s : int32[s, c, g]
        Longest time from leaving the stage until a red group is green, a green group ends.
    """

    clearing_s: Int
    max_green_s: Int
    max_red_s: Int
    stage_min_s: Int
    transition_s: Int
    transition_bound_s: Int
    lead_s: Int
    demote_s: Int
    shows_yield: Bool
    entry_valid: Bool
    until_green_s: Int
    until_end_s: Int


def build_tables(x: Intersection) -> GuardTables:
    """Compute the tables of intersection `x`.

    Raises
    ------
    UnsafeIntersectionError
        If from some stage no rescue keeps all limits, even when nothing has been waiting.
    """
    related = x.conflicts | x.yields | x.yields.T
    intergreen = np.where(related, x.intergreen_s, 0).astype(np.int32)
    clearing = np.array([g.clearing_s for g in x.groups], np.int32)
    max_green = np.array([2 * NEVER_S if g.max_green_s is None else g.max_green_s for g in x.groups], np.int32)
    max_red = np.array([g.max_red_s for g in x.groups], np.int32)
    min_green = np.array([g.min_green_s for g in x.groups], np.int32)
    changing = ~x.green.all(axis=0)
    stage_min = np.array([max(1, int((min_green * (row & changing)).max(initial=1))) for row in x.green], np.int32)
    shows_yield = np.stack([row & (x.yields & row[None, :]).any(axis=1) for row in x.green])
    s, g = x.green.shape
    transition = np.zeros((s, s), np.int32)
    bound = np.zeros((s, s), np.int32)
    lead = np.zeros((s, s, g), np.int32)
    demote = np.zeros((s, s, g), np.int32)
    for a in range(s):
        for b in range(s):
            if a != b:
                transition[a, b], bound[a, b] = _transition(
                    x, a, b, intergreen, clearing, shows_yield, stage_min, lead[a, b], demote[a, b]
                )
    c = len(x.rescue_cycle)
    valid = np.zeros((s, c), np.bool_)
    until_green = np.full((s, c, g), NEVER_S, np.int32)
    until_end = np.full((s, c, g), NEVER_S, np.int32)
    for a in range(s):
        for k in range(c):
            if x.rescue_cycle[k] != a and x.transitions[a, x.rescue_cycle[k]]:
                valid[a, k] = _rescue(x, a, k, bound, lead, stage_min, max_green, max_red, until_green[a, k], until_end[a, k])
    tables = GuardTables(
        clearing, max_green, max_red, stage_min, transition, bound, lead, demote, shows_yield, valid, until_green, until_end
    )
    _check_rescue(x, tables)
    for name in GuardTables.__slots__:
        getattr(tables, name).setflags(write=False)
    return tables


def _transition(
    x: Intersection, a: int, b: int, intergreen: Int, clearing: Int, shows_yield: Bool, stage_min: Int, lead: Int, demote: Int
) -> tuple[int, int]:
    """Duration and bound of the transition a → b; fills `lead` and `demote` (int32[g])."""
    ends, starts = x.green[a] & ~x.green[b], x.green[b] & ~x.green[a]
    stays = x.green[a] & x.green[b]
    lead[ends] = np.maximum(clearing, intergreen[:, starts].max(axis=1, initial=0))[ends]
    # A protected turn that goes on as a yielding one: its protected green "ends" an intergreen before its foe starts.
    loses = stays & shows_yield[b] & ~shows_yield[a]
    for i in np.flatnonzero(loses):
        demote[i] = intergreen[i, starts & x.yields[i]].max(initial=0)
    # A yielding turn that becomes protected: not before the foe it yielded to has cleared.
    promoted = 0
    for i in np.flatnonzero(stays & shows_yield[a] & ~shows_yield[b]):
        promoted = max(promoted, int(intergreen[ends & x.yields[i], i].max(initial=0)))
    duration = max(int(lead.max()), int(demote.max()), promoted)
    earlier = intergreen[np.ix_(~x.green[a], starts)].max(initial=0) - stage_min[a]
    return duration, max(duration, int(earlier))


def _rescue(
    x: Intersection,
    a: int,
    k: int,
    bound: Int,
    lead: Int,
    stage_min: Int,
    max_green: Int,
    max_red: Int,
    until_green: Int,
    until_end: Int,
) -> bool:
    """Run the rescue three times round from stage `a` through entry `k`.

    Fills the waits (int32[g]) and says whether all later runs of green and red keep the limits.
    """
    c = len(x.rescue_cycle)
    green = x.green[a].copy()
    since = np.full(len(green), -1)  # time the present run of green or red began; -1 = before the rescue
    now, here = 0, a
    for turn in range(3 * c):
        there = x.rescue_cycle[(k + turn) % c]
        arrive = now + int(bound[here, there])
        for i in np.flatnonzero(green != x.green[there]):
            at = arrive - int(lead[here, there, i]) if green[i] else arrive
            first, limit = (until_end, max_green) if green[i] else (until_green, max_red)
            if since[i] < 0:
                first[i] = at
            # A bound on a green run must assume the earliest start, on a red run the earliest end: both are the values used.
            elif at - since[i] > limit[i]:
                return False
            since[i], green[i] = at, x.green[there, i]
        now, here = arrive + int(stage_min[there]), there
    return bool((x.green[a] | (until_green < NEVER_S)).all())


def _check_rescue(x: Intersection, t: GuardTables) -> None:
    if len(x.stages) == 1:
        if (t.max_green_s < NEVER_S).any():
            raise UnsafeIntersectionError(
                f"intersection {x.id!r} has one stage only: its groups are always green and can have no max_green_s", "stages"
            )
        return
    for a, stage in enumerate(x.stages):
        stay = int(t.stage_min_s[a])
        in_time = np.where(x.green[a], stay + t.until_end_s[a] <= t.max_green_s, stay + t.until_green_s[a] <= t.max_red_s)
        if not (t.entry_valid[a] & in_time.all(axis=1)).any():
            raise UnsafeIntersectionError(
                f"intersection {x.id!r}: from stage {stage.id!r} the rescue cycle cannot keep every maximum red and maximum "
                "green; raise max_red_s or max_green_s, shorten min_green_s, or take stages out of the cycle",
                "rescue_cycle",
            )
