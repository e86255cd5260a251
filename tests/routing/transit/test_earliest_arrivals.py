"""One-to-all arrivals equal the first arrival of one-to-one searches."""

import datetime as dt

import numpy as np
import pytest

from routing.transit.api import NOT_REACHED, TransitEngine, stop_to_stop
from services.city.gtfs_reader import GtfsSource, read_timetable
from tests.builders.shared_data import porto


@pytest.mark.slow
def test_equals_one_to_one_on_a_real_city() -> None:
    """For stops drawn all over Porto the arrival is that of the quickest journey to the stop, or both find none."""
    timetable = read_timetable([GtfsSource("metro", porto("metro_do_porto_gtfs.zip"), 0)])
    engine = TransitEngine(timetable)
    time_s = int(dt.datetime(2026, 7, 28, 8, tzinfo=dt.timezone(dt.timedelta(hours=1))).timestamp())
    rng = np.random.default_rng(5)
    boarded = np.unique(timetable.pattern_stops)
    found = 0
    for start in rng.choice(boarded, 6, replace=False).tolist():
        arrivals = engine.earliest_arrivals(time_s, np.array([start], np.int32), np.array([0], np.int32))
        for stop in rng.choice(boarded, 12, replace=False).tolist():
            journeys = engine.plan(stop_to_stop(start, stop, time_s))
            rides = [j.rides[-1].arrival_s for j in journeys if j.rides and j.legs[-1].to_stop == stop]
            if stop != start and rides:
                assert arrivals[stop] == min(rides)
                found += 1
            elif stop != start:
                assert arrivals[stop] == NOT_REACHED or arrivals[stop] > time_s + 4 * 3600
    assert found > 20
