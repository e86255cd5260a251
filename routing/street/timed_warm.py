"""Compile every kernel of time-dependent routing."""

import numpy as np

from routing.street.cch import build_hierarchy
from routing.street.nodes import plain_network
from routing.street.pair_functions import pair_functions, stitch_in_place
from routing.street.time_dependent import TimeDependentRouter
from routing.street.timed_anchors import TimedAnchors
from routing.street.travel_time_functions import travel_time_functions


def warm_time_dependent() -> int:
    """Run every time-dependent search once on two streets; machine code is cached on disk by Numba.

    Returns
    -------
    int
        Searches made.
    """
    network = plain_network([0, 1], [1, 2])
    functions = travel_time_functions(network, 0, np.ones((2, 1)), [1000, 1000], [0, 0])
    router = TimeDependentRouter(functions, build_hierarchy(network), windows=((1, 1),))
    first = np.array([0, 1], np.int32)
    ends = [TimedAnchors(first, *(np.array([v], np.int32) for v in (state, -1, 0, 0, 0))) for state in (0, 2)]
    searches = (router.earliest_arrival, router.latest_departure, router.near_arrival)
    found = [search(ends[0], ends[1], 5000) for search in searches]
    router.all_arrivals(ends[0], 0)
    router.all_departures(ends[1], 5000)
    pair_functions([0.0], lambda _: np.zeros((1, 1), np.uint32), 0)
    stitch_in_place([0.0], np.zeros((1, 1, 1), np.int32))
    return len(found) + 4
