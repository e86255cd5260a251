"""One second of the queue model."""

from typing import Any

import numpy as np

from routing.kernels.jit import kernel

RED, YELLOW, GREEN, GREEN_YIELD = 0, 1, 2, 3
STARTUP_S, YELLOW_USE_S, SNEAKERS = 2, 2, 2.0
GENERATED, ENTERED, LEFT, STOPS = 0, 1, 2, 3


@kernel
def next_uniform(rng: Any) -> float:
    """Next number in [0, 1) of the xorshift64* generator whose state is ``rng[0]``."""
    x = rng[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    rng[0] = x
    return float((x * np.uint64(2685821657736338717)) >> np.uint64(11)) / 9007199254740992.0


@kernel
def step_queues(
    now: int,
    aspects: Any,
    link_travel_s: Any,
    link_storage_veh: Any,
    link_rate_vps: Any,
    first_movement: Any,
    movement_from: Any,
    movement_to: Any,
    movement_share: Any,
    movement_flow_vps: Any,
    first_foe: Any,
    foes: Any,
    rng: Any,
    turn_rng: Any,
    backlog: Any,
    moving: Any,
    link_count: Any,
    queue: Any,
    tokens: Any,
    green_age_s: Any,
    yellow_age_s: Any,
    sent: Any,
    totals: Any,
    link_delay_s: Any,
    movement_stops: Any,
) -> None:
    """Generate, move and discharge vehicles for one second; all arrays are changed in place.

    l links, m movements; `moving` is int32[l, horizon], a ring of arrivals at the stop line by second.
    """
    links, movements = len(link_travel_s), len(movement_from)
    horizon = moving.shape[1]
    for a in range(links):
        if link_rate_vps[a] > 0:
            bound, product = np.exp(-link_rate_vps[a]), next_uniform(rng)
            while product > bound:
                backlog[a] += 1
                totals[GENERATED] += 1
                product *= next_uniform(rng)
        while backlog[a] > 0 and link_count[a] < link_storage_veh[a]:
            backlog[a] -= 1
            link_count[a] += 1
            totals[ENTERED] += 1
            moving[a, (now + link_travel_s[a]) % horizon] += 1
    for a in range(links):
        slot = now % horizon
        for _ in range(moving[a, slot]):
            lo, hi = first_movement[a], first_movement[a + 1]
            if lo == hi:  # the street ends here, in the rest of the world
                link_count[a] -= 1
                totals[LEFT] += 1
                continue
            draw, m = next_uniform(turn_rng), lo
            while m < hi - 1 and draw >= movement_share[m]:
                draw -= movement_share[m]
                m += 1
            if queue[m] > 0 or aspects[m] not in (GREEN, GREEN_YIELD):
                totals[STOPS] += 1
                movement_stops[m] += 1
            queue[m] += 1
        moving[a, slot] = 0
    for m in range(movements):
        green = aspects[m] == GREEN or aspects[m] == GREEN_YIELD
        ended = not green and green_age_s[m] > 0
        green_age_s[m] = green_age_s[m] + 1 if green else 0
        yellow_age_s[m] = yellow_age_s[m] + 1 if aspects[m] == YELLOW else 0
        flows = green_age_s[m] > STARTUP_S or (0 < yellow_age_s[m] <= YELLOW_USE_S)
        sent[m] = 0 if flows else -1
        if flows:
            # What is left of a token at the end of green is kept: a movement with a small share must not starve.
            tokens[m] = min(tokens[m] + movement_flow_vps[m], max(1.0, 2 * movement_flow_vps[m]))
        if ended and first_foe[m] < first_foe[m + 1]:
            tokens[m] = max(tokens[m], SNEAKERS)  # turners waiting inside the junction clear it
    for turn in range(2):  # those who go first, then those who give way
        for m in range(movements):
            yields = aspects[m] == GREEN_YIELD
            if (turn == 0) == yields or sent[m] < 0 or queue[m] == 0 or tokens[m] < 1.0:
                continue
            blocked = False
            if yields:
                for k in range(first_foe[m], first_foe[m + 1]):
                    f = foes[k]
                    # A gap is needed: nobody of the foe standing ready or just gone.
                    if aspects[f] == GREEN and (sent[f] > 0 or queue[f] > 0):
                        blocked = True
            to = movement_to[m]
            while not blocked and queue[m] > 0 and tokens[m] >= 1.0 and link_count[to] < link_storage_veh[to]:
                queue[m] -= 1
                tokens[m] -= 1.0
                sent[m] += 1
                link_count[movement_from[m]] -= 1
                link_count[to] += 1
                moving[to, (now + link_travel_s[to]) % horizon] += 1
    for m in range(movements):
        link_delay_s[movement_from[m]] += queue[m]
    for a in range(links):
        link_delay_s[a] += backlog[a]
