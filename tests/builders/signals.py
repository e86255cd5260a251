"""Drawn junctions, and a checker of signal states that shares no code with the guard."""

import bisect
from collections.abc import Collection, Sequence
from typing import Any

from traffic_lights.model.geometry import ApproachGeometry, ExitGeometry, IntersectionGeometry


def junction(*bearings_deg: float, lanes: int = 1, name: str = "drawn", **options: Any) -> IntersectionGeometry:
    """A junction of two-way arms at these bearings: approach `i`, exit `100 + i`."""
    return IntersectionGeometry(
        name,
        tuple(ApproachGeometry(i, b, lanes) for i, b in enumerate(bearings_deg)),
        tuple(ExitGeometry(100 + i, b, lanes) for i, b in enumerate(bearings_deg)),
        **options,
    )


def limits_of(x: Any) -> dict[str, Any]:
    """Limits of an intersection as plain lists, the only thing the checker knows."""
    n = len(x.groups)
    related = [[bool(x.conflicts[i, j]) for j in range(n)] for i in range(n)]
    return {
        "clearing": [g.clearing_s for g in x.groups],
        "min_green": [g.min_green_s for g in x.groups],
        "max_green": [g.max_green_s for g in x.groups],
        "max_red": [g.max_red_s for g in x.groups],
        "conflicts": related,
        "yields": [[bool(x.yields[i, j]) for j in range(n)] for i in range(n)],
        "intergreen": [[int(x.intergreen_s[i, j]) for j in range(n)] for i in range(n)],
        "stages": [sorted(s.groups) for s in x.stages],
        "transitions": [[bool(v) for v in row] for row in x.transitions],
    }


def find_violations(
    limits: dict[str, Any], states: Sequence[bytes], lost: Collection[int] = (), resumed: Collection[int] = ()
) -> list[str]:
    """Everything wrong in a sequence of shown states, one a second; 2 and 3 are green, 1 and 4 clearing, 0 red.

    In the seconds `lost` nobody could change the lamps: they may prolong what is shown, never shorten it. From the seconds
    `resumed` on, whoever changes the lamps knew only what they showed then, not since when.
    """
    found: list[str] = []

    def allowance(a: int, b: int, spill: int) -> int:
        """Seconds of the run [a, b), or of the time that led to it, that nobody could know of or do anything about."""
        start = max((r for r in resumed if a <= r <= b), default=a)
        return start - a + sum(start - spill <= t < b for t in lost)

    # Lamps that stay too long make the next groups late, too, until all have had their turn.
    spill = max(limits["max_red"])

    n = len(limits["clearing"])
    runs: list[list[tuple[str, int, int]]] = []  # per group: (what, first second, last second + 1)
    for g in range(n):
        mine: list[tuple[str, int, int]] = []
        for t, state in enumerate(states):
            what = {0: "red", 1: "clear", 4: "clear", 2: "green", 3: "green"}.get(state[g], "?")
            if mine and mine[-1][0] == what:
                mine[-1] = (what, mine[-1][1], t + 1)
            else:
                mine.append((what, t, t + 1))
        runs.append(mine)
    end = len(states)
    for g, mine in enumerate(runs):
        for k, (what, a, b) in enumerate(mine):
            whole = a > 0 and b < end
            before, after = mine[k - 1][0] if k else "", mine[k + 1][0] if k + 1 < len(mine) else ""
            if what == "?":
                found.append(f"group {g}: unknown aspect at {a}")
            if what == "green":
                if whole and b - a < limits["min_green"][g]:
                    found.append(f"group {g}: green of {b - a} s at {a}")
                if limits["max_green"][g] is not None and b - a > limits["max_green"][g] + allowance(a, b, spill):
                    found.append(f"group {g}: green of {b - a} s at {a}, too long")
                if b < end and limits["clearing"][g] and after != "clear":
                    found.append(f"group {g}: no clearing after green at {b}")
            if what == "clear":
                if a > 0 and before != "green":
                    found.append(f"group {g}: clearing without green at {a}")
                short = whole and b - a < limits["clearing"][g]
                if short or (b < end and b - a > limits["clearing"][g] + allowance(a, b, 0)):
                    found.append(f"group {g}: clearing of {b - a} s at {a}")
        greens = [(a, b) for what, a, b in mine if what == "green"]
        edges = [0] + [b for _, b in greens], [a for a, _ in greens] + [end]
        for last, first in zip(*edges, strict=True):
            if first - last > limits["max_red"][g] + allowance(last, first, spill):
                found.append(f"group {g}: red of {first - last} s at {last}")
    green = [[state[g] in (2, 3) for state in states] for g in range(n)]
    begins = [[a for what, a, _ in mine if what == "green"] for mine in runs]
    ends = [[b for what, _, b in mine if what == "green"] for mine in runs]
    for i in range(n):
        for j in range(n):
            conflict = limits["conflicts"][i][j]
            if i == j or not (conflict or limits["yields"][i][j] or limits["yields"][j][i]):
                continue
            if conflict and (both := [t for t in range(end) if green[i][t] and green[j][t]]):
                found.append(f"groups {i} and {j} green together at {both[0]}")
            for a in begins[j]:
                k = bisect.bisect_right(ends[i], a) - 1
                if a > 0 and k >= 0 and not green[i][a] and a - ends[i][k] < limits["intergreen"][i][j]:
                    found.append(f"intergreen {i}->{j} of {a - ends[i][k]} s at {a}, needs {limits['intergreen'][i][j]}")
    for t, state in enumerate(states):
        for i in range(n):
            must = any(limits["yields"][i][j] and state[j] in (2, 3) for j in range(n))
            if state[i] == 2 and must:
                found.append(f"group {i}: full green at {t} though it must give way")
    return found + _stage_violations(limits, states, resumed)


def _stage_violations(limits: dict[str, Any], states: Sequence[bytes], resumed: Collection[int]) -> list[str]:
    """Full stages must follow one another along allowed transitions.

    A stage is recognised when some group turns green; stages that are part of another begin unseen and may lie between.
    """
    found: list[str] = []
    stages, allowed = [set(s) for s in limits["stages"]], limits["transitions"]
    unseen = [any(a < b for b in stages) for a in stages]
    last: list[int] = []
    for t in range(1, len(states)):
        if t in resumed:
            last = []
        green = {g for g, a in enumerate(states[t]) if a in (2, 3)}
        if not any(states[t - 1][g] not in (2, 3) for g in green):
            continue
        now = [k for k, s in enumerate(stages) if s == green]
        if not now:
            found.append(f"green groups {sorted(green)} at {t} are no stage")
        reach, todo = set(last), list(last)
        while todo:
            k = todo.pop()
            for n in range(len(stages)):
                if allowed[k][n] and n not in reach:
                    reach.add(n)
                    if unseen[n]:
                        todo.append(n)
        if last and not reach & set(now):
            found.append(f"stage {last} to {now} at {t} is not allowed")
        last = now
    return found
