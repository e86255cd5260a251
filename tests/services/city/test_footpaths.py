"""Footpaths between stops follow the streets."""

import numpy as np

from routing.model.modes import StreetMode
from routing.street.api import StreetEngine
from services.city.footpaths import MARGIN_S, MAX_WALK_S, with_street_footpaths
from services.city.snapshot import CitySnapshot


def test_walks_take_as_long_as_the_streets_say(porto_snapshot: CitySnapshot) -> None:
    """Drawn footpaths of Porto are the street walk plus the margin, or a shorter transfer of the feed; none is beyond reach."""
    timetable, graph = porto_snapshot.timetable, porto_snapshot.street
    engine = StreetEngine(graph)
    metric = engine.metric(StreetMode.FOOT)
    snaps = engine.snap(np.nan_to_num(timetable.stop_lat_deg), np.nan_to_num(timetable.stop_lon_deg), StreetMode.FOOT, 150.0)
    rng = np.random.default_rng(11)
    checked = 0
    for stop in rng.integers(0, timetable.stop_count, 60).tolist():
        rows = slice(int(timetable.first_footpath[stop]), int(timetable.first_footpath[stop + 1]))
        to, seconds = timetable.footpath_to[rows], timetable.footpath_s[rows]
        if snaps.arc[stop] < 0 or not len(to):
            continue
        walk_s = engine.one_to_many(metric, snaps, stop, snaps.take(to)) / 1000.0
        assert (seconds <= np.ceil(walk_s) + MARGIN_S).all()
        assert (seconds <= MAX_WALK_S + MARGIN_S + 1).mean() > 0.9
        checked += int((seconds == np.ceil(walk_s) + MARGIN_S).sum())
    assert checked > 50


def test_doing_it_again_changes_nothing(porto_snapshot: CitySnapshot) -> None:
    """Stops near each other on the map but far on foot are not joined, and a second pass finds the same footpaths."""
    timetable = porto_snapshot.timetable
    again = with_street_footpaths(timetable, porto_snapshot.street)
    assert np.array_equal(again.footpath_to, timetable.footpath_to)
    assert np.array_equal(again.footpath_s, timetable.footpath_s)
