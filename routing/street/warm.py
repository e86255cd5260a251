"""Compile every kernel of the street engine, so that no request waits for it."""

import numpy as np
import numpy.typing as npt

from routing.model.modes import StreetMode
from routing.model.street_graph import ROAD_CLASSES
from routing.street.api import Avoidance, SnapHints, Snaps, StreetEngine, StreetMetric
from routing.street.avoidance import arcs_within
from routing.street.isochrone import street_isochrones
from routing.street.pair_functions import stitch_in_place
from routing.street.path import turn_angle_deg
from routing.street.sites import Site
from routing.street.traffic_functions import traffic_functions

Float64 = npt.NDArray[np.float64]


def warm(engine: StreetEngine) -> int:
    """Run every search of `engine` once, on arcs and on nodes; machine code is cached on disk by Numba.

    Returns
    -------
    int
        Searches made (0 for a graph without streets).
    """
    made = 0
    stitch_in_place([0.0], np.zeros((1, 1, 1), np.int32))
    for mode in (StreetMode.CAR, StreetMode.FOOT):
        arcs = np.flatnonzero(engine.graph.arc_routable & engine.graph.arc_access & mode.bit)
        if not len(arcs):
            continue
        rows = engine.graph.first_shape[arcs[[0, -1]]]
        lat_deg, lon_deg = (
            np.asarray(e7[rows] * 1e-7, np.float64) for e7 in (engine.graph.shape_lat_e7, engine.graph.shape_lon_e7)
        )
        places = engine.snap(lat_deg, lon_deg, mode)
        metric = engine.metric(mode)
        metric.customise()
        engine.metric(mode, closed_arcs=arcs[:1]).customise()  # few edges change: partial customisation
        for limit_s in (60.0, None):
            made += _searches(engine, metric, places, limit_s)
        made += _knowing(engine, metric, places.take([0]), lat_deg, lon_deg)
        made += _wishes(engine, metric, places)
    return made + warm_predicted(engine)


def warm_predicted(engine: StreetEngine) -> int:
    """Run every search by predicted traffic once, for cars; answers how many (0 without streets or a hierarchy for them)."""
    graph = engine.graph
    if engine.metric(StreetMode.CAR).weights is None:
        return 0
    arcs = np.flatnonzero(graph.arc_routable & graph.arc_access & StreetMode.CAR.bit)
    if not len(arcs):
        return 0
    rows = graph.first_shape[arcs[[0, -1]]]
    places = engine.snap(graph.shape_lat_e7[rows] * 1e-7, graph.shape_lon_e7[rows] * 1e-7, StreetMode.CAR)
    metric = engine.metric(StreetMode.CAR)
    timed = engine.timed(metric, traffic_functions(graph, metric, 0, np.ones((2, len(ROAD_CLASSES)))))
    timed.leave_at(places, 0, places, 1, 0.0)
    timed.leave_at(places, 0, places, 0, 0.0)
    timed.arrive_by(places, 0, places, 1, 1800.0)
    path = engine.find_route(metric, places, 0, places, 1)
    if path is not None:
        timed.retimed(path, 0.0)
        timed.retimed_back(path, 1800.0)
    return 3 if path is None else 6


def _wishes(engine: StreetEngine, metric: StreetMetric, places: Snaps) -> int:
    """Ways over positions, and by price around areas."""
    lat, lon = float(places.lat_deg[0]), float(places.lon_deg[0])
    triangle = ((lat, lon), (lat + 1e-4, lon), (lat, lon + 1e-4))
    arcs_within(engine.graph, triangle)
    cost = engine.cost_metric(metric, avoidance=Avoidance(polygons=(triangle,), circles=((lat, lon, 1.0),)))
    engine.find_cheapest(cost, places, 0, places, 1)
    engine.find_way(metric, places)
    engine.find_way(metric, places.take([0, 1, 0]))
    turn_angle_deg(engine.graph, *places.arc.clip(0).tolist())
    return 3


def _searches(engine: StreetEngine, metric: StreetMetric, places: Snaps, limit_s: float | None) -> int:
    """Every search once; without a limit they run on the hierarchy, if the mode has one."""
    engine.one_to_many(metric, places, 0, places, limit_s)
    engine.many_to_one(metric, places, places, 0, limit_s)
    engine.many_to_many(metric, places, places, limit_s)
    engine.find_route(metric, places, 0, places, 1)
    engine.reach(metric, places, 0, limit_s)
    engine.reach(metric, places, 0, limit_s, backward=True)
    if metric.weights is None:
        return 6
    engine.alternatives(metric, places, 0, places, 1)
    engine.lengths(metric, places).rows(places)
    return 8


def _knowing(engine: StreetEngine, metric: StreetMetric, place: Snaps, lat_deg: Float64, lon_deg: Float64) -> int:
    """Snapping with hints, a match of a trace and of a site, and an outline."""
    engine.snap(lat_deg, lon_deg, metric.mode, hints=SnapHints(names=["", ""], bearing_deg=[0.0, np.nan], curb=True))
    engine.matcher(metric).match(lat_deg, lon_deg, np.array([0.0, 600.0]))
    engine.site_matcher().match_sites([Site(tuple(zip(lat_deg.tolist(), lon_deg.tolist(), strict=True)))])
    street_isochrones(engine.graph, metric, engine.reach(metric, place, 0, 120.0), place, [60.0])
    return 4
