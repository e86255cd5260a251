"""Compile every kernel of the street engine, so that no request waits for it."""

import numpy as np

from routing.model.modes import StreetMode
from routing.street.api import Snaps, StreetEngine, StreetMetric


def warm(engine: StreetEngine) -> int:
    """Run every search of `engine` once, on arcs and on nodes; machine code is cached on disk by Numba.

    Returns
    -------
    int
        Searches made (0 for a graph without streets).
    """
    made = 0
    for mode in (StreetMode.CAR, StreetMode.FOOT):
        arcs = np.flatnonzero(engine.graph.arc_routable & engine.graph.arc_access & mode.bit)
        if not len(arcs):
            continue
        rows = engine.graph.first_shape[arcs[[0, -1]]]
        lat_deg, lon_deg = engine.graph.shape_lat_e7[rows] * 1e-7, engine.graph.shape_lon_e7[rows] * 1e-7
        places = engine.snap(lat_deg, lon_deg, mode)
        metric = engine.metric(mode)
        for limit_s in (60.0, None):
            made += _searches(engine, metric, places, limit_s)
    return made


def _searches(engine: StreetEngine, metric: StreetMetric, places: Snaps, limit_s: float | None) -> int:
    """Every search once; without a limit they run on the hierarchy, if the mode has one."""
    engine.one_to_many(metric, places, 0, places, limit_s)
    engine.many_to_one(metric, places, places, 0, limit_s)
    engine.many_to_many(metric, places, places, limit_s)
    engine.find_route(metric, places, 0, places, 1)
    engine.reach(metric, places, 0, limit_s)
    engine.reach(metric, places, 0, limit_s, backward=True)
    return 6
