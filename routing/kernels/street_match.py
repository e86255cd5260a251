"""The most likely way of a moving thing from positions with errors: a hidden Markov model over streets near each position.

Costs are negative logarithms of probabilities. A *layer* is a position with its candidates. Staying at a candidate costs what
its distance suggests (emission); moving from one candidate to another costs what the way between them differs from the straight
line, what time it takes beyond the time that passed, and a little for being slow (transition): of two ways that fit the
positions alike, drivers take the quicker one. Viterbi's algorithm finds the cheapest sequence; the forward and the backward
sums give each choice its probability.

References
----------
Newson, Krumm: Hidden Markov Map Matching Through Noise and Sparseness. ACM GIS 2009, doi:10.1145/1653771.1653818.
"""

from typing import NamedTuple

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_reach import Reach, Ways, clear_goals, mark_goals, reach_goals, way_back
from routing.kernels.street_types import Float32, Float64, Int8, Int32, Int64, Number

START, CONTINUED, GAP_IN_TIME, GAP_IN_SPACE, NO_WAY = 0, 1, 2, 3, 4
"""How a layer follows the one before: `Layers.link`."""
OUTLIER = 5
"""`Layers.link` of a layer that was left out."""

FAST_MPS = 36.0
"""Time a way needs beyond the straight line at this speed speaks against it."""
MOST_DETOUR = 15.0

METRES_PER_DEGREE = 111_319.49079327358


class Model(NamedTuple):
    """Parameters of the model, see `routing.street.matching.MatchOptions`."""

    beta_m: float
    beta_share: float
    slow_s: float
    hurry: float
    hurry_s: float
    detour_s: float
    most_mps: float
    slip_m: float
    beam: float
    suspect: float
    skip_cost: float
    break_cost: float
    gap_s: float
    gap_m: float
    given_m: bool


class Layers(NamedTuple):
    """One trace: n layers with at most c candidates each.

    Attributes
    ----------
    lat_deg, lon_deg, time_s, along_m : float64[n]
        Time NaN = unknown; `along_m` is the distance travelled so far where it is known (`Model.given_m`).
    counts : int32[n]
    arc : int32[n, c]
    fraction : float32[n, c]
    emission : float32[n, c]
    cost : float64[n, c]
        Out: of the cheapest sequence that ends here.
    before : int32[n, c]
        Out: candidate before it, in the layer before.
    route_m : float64[n, c]
        Out: length of the way from there.
    step : float32[n, c, c]
        Out: transition costs from the layer before, ``[to, from]``.
    link : int8[n]
        Out.
    chosen : int32[n]
        Out: candidate, -1 for outliers.
    confidence : float32[n]
        Out: probability of the chosen candidate, given all positions.
    """

    lat_deg: Float64
    lon_deg: Float64
    time_s: Float64
    along_m: Float64
    counts: Int32
    arc: Int32
    fraction: Float32
    emission: Float32
    cost: Float64
    before: Int32
    route_m: Float64
    step: Float32
    link: Int8
    chosen: Int32
    confidence: Float32


@kernel
def match(ways: Ways, reach: Reach, model: Model, layers: Layers, low: int, high: int) -> None:
    """Match the layers ``low … high - 1``, which are one trace in order of time; fills `layers`."""
    if low == high:
        return
    _begin(layers, low, START)
    p, q, first = low, low + 1, low
    while q < high:
        gap = _gap(model, layers, p, q)
        if gap != CONTINUED:
            _finish(layers, first, p)
            _begin(layers, q, gap)
            p, q, first = q, q + 1, q
            continue
        dearer = advance(ways, reach, model, layers, p, q)
        if dearer >= model.suspect:
            after = _around(ways, reach, model, layers, p, q, high, dearer)
            if after > q:
                for k in range(q, after):
                    layers.link[k], layers.chosen[k] = OUTLIER, -1
                advance(ways, reach, model, layers, p, after)
                q = after
            elif dearer == np.inf:
                _finish(layers, first, p)
                _begin(layers, q, NO_WAY)
                p, q, first = q, q + 1, q
                continue
            else:
                advance(ways, reach, model, layers, p, q)
        layers.link[q] = CONTINUED
        p, q = q, q + 1
    _finish(layers, first, p)


@kernel
def match_all(ways: Ways, reach: Reach, model: Model, layers: Layers, first: Int64) -> None:
    """`match` every trace; trace `t` has the layers ``first[t]:first[t + 1]``."""
    for t in range(len(first) - 1):
        match(ways, reach, model, layers, first[t], first[t + 1])


@kernel
def travelled_all(ways: Ways, reach: Reach, layers: Layers, first: Int64, arcs: Int32, place: Int64, ends: Int64) -> int:
    """`travelled` of every trace, and where the arcs of each end; -1 says that `arcs` has no room."""
    written = 0
    for t in range(len(first) - 1):
        written = travelled(ways, reach, layers, first[t], first[t + 1], arcs, place, written)
        if written < 0:
            return -1
        ends[t] = written
    return written


@kernel
def _begin(layers: Layers, k: int, link: int) -> None:
    layers.link[k] = link
    for j in range(layers.counts[k]):
        layers.cost[k, j] = layers.emission[k, j]
        layers.before[k, j] = -1
        layers.route_m[k, j] = 0.0


@kernel
def _straight_m(model: Model, layers: Layers, p: int, q: int) -> Number:
    """Distance between two positions: as given, else the straight line."""
    if model.given_m:
        return layers.along_m[q] - layers.along_m[p]
    north = (layers.lat_deg[q] - layers.lat_deg[p]) * METRES_PER_DEGREE
    east = (layers.lon_deg[q] - layers.lon_deg[p]) * METRES_PER_DEGREE * np.cos(np.radians(layers.lat_deg[p]))
    return np.sqrt(north * north + east * east)


@kernel
def _gap(model: Model, layers: Layers, p: int, q: int) -> int:
    if layers.time_s[q] - layers.time_s[p] > model.gap_s:
        return GAP_IN_TIME
    if _straight_m(model, layers, p, q) > model.gap_m:
        return GAP_IN_SPACE
    return CONTINUED


@kernel
def _around(ways: Ways, reach: Reach, model: Model, layers: Layers, p: int, q: int, high: int, dearer: float) -> int:
    """The next layer to go on with when `q` fits badly after `p`: `q` itself, or a later one that makes it an outlier."""
    for after in range(q + 1, min(q + 4, high)):
        if _gap(model, layers, p, after) != CONTINUED:
            break
        with_it = np.inf
        if dearer < np.inf and after == q + 1:
            with_it = dearer + advance(ways, reach, model, layers, q, after)
        without = advance(ways, reach, model, layers, p, after) + model.skip_cost * (after - q)
        if without < with_it:
            return after
        if dearer < np.inf:
            break
    return q


@kernel
def advance(ways: Ways, reach: Reach, model: Model, layers: Layers, p: int, q: int) -> float:
    """Fill layer `q` from layer `p`; return how much dearer the cheapest sequence became (`inf`: no way to any candidate)."""
    straight = _straight_m(model, layers, p, q)
    best = np.inf
    for i in range(layers.counts[p]):
        best = min(best, layers.cost[p, i])
    beta = model.beta_m + model.beta_share * straight
    dearer = np.inf
    for limit in (model.beam, model.break_cost):
        entries = mark_goals(ways, reach, layers.arc[q], layers.counts[q])
        layers.cost[q] = np.inf
        layers.step[q] = np.inf
        for i in range(layers.counts[p]):
            spare = limit - (layers.cost[p, i] - best)
            if spare > 0.0:
                _step(ways, reach, model, layers, p, q, i, straight, beta, spare)
        clear_goals(reach, entries)
        for j in range(layers.counts[q]):
            layers.cost[q, j] += layers.emission[q, j]
            dearer = min(dearer, layers.cost[q, j] - best)
        if dearer < np.inf:
            break
    return dearer


@kernel
def _step(
    ways: Ways,
    reach: Reach,
    model: Model,
    layers: Layers,
    p: int,
    q: int,
    i: int,
    straight: float,
    beta: float,
    spare: float,
) -> None:
    """Transition costs, up to `spare`, from candidate `i` of layer `p` to all candidates of layer `q`."""
    goals = layers.counts[q]
    route_m, route_ms = np.empty(goals, np.float64), np.empty(goals, np.float64)
    arc, fraction = layers.arc[p, i], np.float64(layers.fraction[p, i])
    reach_goals(ways, reach, arc, fraction, straight + beta * spare, goals, route_m, route_ms)
    passed = layers.time_s[q] - layers.time_s[p]
    for j in range(goals):
        to = layers.arc[q, j]
        part = np.float64(layers.fraction[q, j])
        length = route_m[j] + part * ways.arc_m[to]
        time = route_ms[j] + part * ways.arc_ms[to]
        if to == arc:
            ahead = (part - fraction) * ways.arc_m[arc]
            if ahead >= -model.slip_m and max(ahead, 0.0) < length:
                length, time = max(ahead, 0.0), max(part - fraction, 0.0) * ways.arc_ms[arc]
        step = np.inf
        if length < np.inf and not length > model.most_mps * passed + 100.0:  # true for an unknown time
            step = abs(length - straight) / beta
            step += min(max(0.001 * time - straight / FAST_MPS, 0.0) / model.detour_s, MOST_DETOUR)
            late = 0.001 * time * model.hurry - passed - model.slow_s
            if late > 0.0:  # false for an unknown time
                step += late / model.hurry_s
        if step > spare:
            continue
        layers.step[q, j, i] = step
        total = layers.cost[p, i] + step
        if total < layers.cost[q, j]:
            layers.cost[q, j], layers.before[q, j], layers.route_m[q, j] = total, i, length


@kernel
def _finish(layers: Layers, first: int, last: int) -> None:
    """Choose the candidates of the layers ``first … last`` and say how sure each choice is."""
    layers.chosen[last] = np.argmin(layers.cost[last, : layers.counts[last]])
    following = np.full(last - first + 1, -1, np.int32)
    k = last
    for before in range(last - 1, first - 1, -1):
        if layers.link[before] != OUTLIER:
            layers.chosen[before] = layers.before[k, layers.chosen[k]]
            following[before - first] = k
            k = before
    _weigh(layers, first, last, following)


@kernel
def _weigh(layers: Layers, first: int, last: int, following: Int32) -> None:
    """Probabilities of the chosen candidates by the forward and the backward sums."""
    most = layers.arc.shape[1]
    forward = np.full((last - first + 1, most), -np.inf)
    k = first
    for j in range(layers.counts[k]):
        forward[0, j] = -layers.emission[k, j]
    while k < last:
        q = following[k - first]
        for j in range(layers.counts[q]):
            row = np.float64(-np.inf)
            for i in range(layers.counts[k]):
                row = _log_sum(row, forward[k - first, i] - layers.step[q, j, i])
            forward[q - first, j] = row - layers.emission[q, j]
        k = q
    backward, earlier = np.zeros(most), np.zeros(most)
    for k in range(last, first - 1, -1):
        if layers.link[k] == OUTLIER:
            continue
        if k < last:
            q = following[k - first]
            for i in range(layers.counts[k]):
                row = np.float64(-np.inf)
                for j in range(layers.counts[q]):
                    row = _log_sum(row, backward[j] - layers.step[q, j, i] - layers.emission[q, j])
                earlier[i] = row
            backward, earlier = earlier, backward
        total = np.float64(-np.inf)
        for i in range(layers.counts[k]):
            total = _log_sum(total, forward[k - first, i] + backward[i])
        layers.confidence[k] = np.exp(forward[k - first, layers.chosen[k]] + backward[layers.chosen[k]] - total)


@kernel
def _log_sum(a: Number, b: Number) -> Number:
    """``log(exp(a) + exp(b))``."""
    high, low = max(a, b), min(a, b)
    if low == -np.inf or high - low > 36.0:
        return high
    return high + np.log1p(np.exp(low - high))


@kernel
def travelled(ways: Ways, reach: Reach, layers: Layers, low: int, high: int, arcs: Int32, place: Int64, written: int) -> int:
    """Write the arcs travelled after ``arcs[:written]``, and the place among them of every layer; return the new end.

    -1 says that `arcs` has no room.
    """
    route_m, route_ms = np.empty(1, np.float64), np.empty(1, np.float64)
    p = -1
    for q in range(low, high):
        if layers.link[q] == OUTLIER:
            place[q] = -1
            continue
        j = layers.chosen[q]
        if layers.link[q] != CONTINUED:
            if written == len(arcs):
                return -1
            arcs[written] = layers.arc[q, j]
            written += 1
        else:
            i = layers.chosen[p]
            arc, to = layers.arc[p, i], layers.arc[q, j]
            part, own = layers.fraction[q, j], layers.fraction[p, i]
            direct = arc == to and layers.route_m[q, j] <= max((part - own) * ways.arc_m[arc], 0.0) + 0.01
            if not direct:
                entries = mark_goals(ways, reach, layers.arc[q, j : j + 1], 1)
                most_m = layers.route_m[q, j] - part * ways.arc_m[to] + 1.0
                state = reach_goals(ways, reach, arc, own, most_m, 1, route_m, route_ms)
                clear_goals(reach, entries)
                count = way_back(ways, reach, state, arcs[written:])
                if count < 0 or written + count == len(arcs):
                    return -1
                for k in range(count // 2):
                    a, b = written + k, written + count - 1 - k
                    arcs[a], arcs[b] = arcs[b], arcs[a]
                arcs[written + count] = to
                written += count + 1
        place[q] = written - 1
        p = q
    return written
