"""Cheapest place of a delivery when its pickup comes to a certain place: walked along the round, in constant time a stop."""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import lean
from routing.kernels.rounds_fixed import Fixed, Links, price
from routing.kernels.rounds_times import EPS_S


@lean
def pair_cost(fixed: Fixed, links: Links, r: int, v: int, i: int, limit: float) -> tuple[float, int]:
    """Added cost of pickup `v` after node `i` of round `r` and of its delivery after the node answered.

    That is `v` itself or a node of the round; the cost is inf where it is infeasible or not below `limit`.
    """
    m, p, service = len(fixed.penalty), fixed.vehicles[r].profile, fixed.vehicles[r].service_class
    w, x, end, used = fixed.mate[v], links.after[i], len(fixed.penalty) + len(fixed.vehicles) + r, links.size[r] > 0
    if links.size[r] + 2 > fixed.vehicles[r].max_stops or fixed.dislike[w, r] == np.inf:
        return np.inf, -1
    at, to, tail = fixed.location[v], fixed.location[w], v
    lasts, last, t = links.head_s[i], links.last_s[i], links.early_s[i]
    drive = fixed.drive_s[p, fixed.location[i], at]
    t += drive
    if t > fixed.closes_s[v] + EPS_S:
        return np.inf, -1
    t = max(t, fixed.opens_s[v]) + fixed.stays_s[service, v]
    if fixed.timed:
        lasts, last = _passed(fixed, v, lasts + drive, last, fixed.stays_s[service, v])
    metres = fixed.metres[p, fixed.location[i], at]  # on the way to the tail, instead of what was driven to `x`
    saved = fixed.metres[p, fixed.location[i], fixed.location[x]] if used else 0.0
    for d in range(fixed.demand.shape[1]):
        if links.board[i, d] + fixed.demand[v, d] > fixed.capacity[r, d]:
            return np.inf, -1
    now = links.head_s[end] if used else 0.0
    best, then, fixed_cost = limit, -1, 0.0 if used else fixed.vehicles[r].fixed_cost
    while True:
        here, head = fixed.location[tail], fixed.location[x]
        drive, back = fixed.drive_s[p, here, to], fixed.drive_s[p, to, head]
        if t > fixed.closes_s[w] + EPS_S:
            break
        leaves = max(t + drive, fixed.opens_s[w]) + fixed.stays_s[service, w]
        if t + drive <= fixed.closes_s[w] + EPS_S and leaves + back <= links.late_s[x] + EPS_S:
            longer = metres + fixed.metres[p, here, to] + fixed.metres[p, to, head] - saved
            cost = fixed_cost + fixed.vehicles[r].cost_per_m * longer
            fine = links.metres[r] + longer <= fixed.vehicles[r].max_length_m + 1e-7
            if fixed.timed and fine:
                whole, until = _passed(fixed, w, lasts + drive, last, fixed.stays_s[service, w])
                whole += back
                whole += max(0.0, links.first_s[x] - whole - until) + links.tail_s[x]
                fine = whole <= fixed.vehicles[r].max_duration_s + 1e-7
                cost += price(fixed, r, 0.0, whole) - price(fixed, r, 0.0, now)
            if fine and cost < best:
                best, then = cost, tail
        if x >= m:
            break
        drive = fixed.drive_s[p, here, head]  # the delivery comes after `x`
        t += drive
        if t > links.late_s[x] + EPS_S:
            break
        t = max(t, fixed.opens_s[x]) + fixed.stays_s[service, x]
        if fixed.timed:
            lasts, last = _passed(fixed, x, lasts + drive, last, fixed.stays_s[service, x])
        room = True
        for d in range(fixed.demand.shape[1]):
            room &= links.board[x, d] + fixed.demand[v, d] <= fixed.capacity[r, d]
        if not room:
            break
        if tail == v:
            metres += fixed.metres[p, at, head] - saved
        tail, x = x, links.after[x]
        saved = fixed.metres[p, fixed.location[tail], fixed.location[x]]
    return (best, then) if then >= 0 else (np.inf, -1)


@lean
def _passed(fixed: Fixed, v: int, lasts: float, last: float, stays: float) -> tuple[float, float]:
    """Shortest duration until node `v` is left, and the latest start that has it, from those until it is reached."""
    wait = max(0.0, fixed.opens_s[v] - lasts - last)
    return lasts + wait + stays, min(fixed.closes_s[v] - lasts, last)
