"""Travel-time functions of a city are those of the forecast: slots, deviations that fade, caps, closures, odd nights."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from routing.errors import InvalidInput
from routing.forecast.traffic import RESIDUAL_TAU_S, TrafficForecast, TrafficProfile
from routing.kernels.td_functions import CLOSED, SLOT_MS
from routing.model.modes import StreetMode
from routing.model.street_graph import ROAD_CLASSES
from routing.street.cch import build_hierarchy
from routing.street.time_dependent import TimeDependentRouter
from routing.street.timed_anchors import timed_anchors
from routing.street.timed_warm import warm_time_dependent
from routing.street.traffic_functions import traffic_functions
from tests.builders.streets import draw


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Machine code of all kernels, made outside the time a test may take."""
    return warm_time_dependent()


LISBON = ZoneInfo("Europe/Lisbon")
MONDAY = int(datetime(2026, 3, 2, tzinfo=LISBON).timestamp())
DRAWING = """
A B C D
E F G H
---
ABCD  highway=primary maxspeed=50
EFGH  highway=residential
AE    highway=motorway maxspeed=120
BF    highway=tertiary
CG    highway=service
DH    highway=living_street
"""


@pytest.fixture(scope="module")
def streets():
    """A drawn town."""
    return draw(DRAWING)


def functions_of(streets, mode=StreetMode.CAR, start_s=MONDAY, slots=96, **live):
    """Functions and forecast of a mode."""
    forecast = TrafficForecast.for_city(streets.graph, TrafficProfile.urban(LISBON))
    metric = streets.engine.metric(mode, closed_arcs=live.pop("closed", None))
    return traffic_functions(streets.graph, metric, start_s, forecast.profile.slots(start_s, slots), **live), forecast


@pytest.mark.parametrize("mode", [StreetMode.CAR, StreetMode.TRUCK, StreetMode.CARGO_BIKE, StreetMode.FOOT])
def test_slots_weigh_like_the_forecast(streets, mode):
    """In every slot, edge by edge, the time the metric of that moment gives, to two milliseconds; traffic slows motors only."""
    functions, forecast = functions_of(streets, mode)
    for slot in range(0, 96, 5):
        metric = streets.engine.metric(mode, forecast.arc_speed_kmh(MONDAY + (slot + 0.5) * 900))
        mine = functions.edge_ms(functions.pace_of(slot, slot + 1), lower=False)
        assert np.abs(mine.astype(np.int64) - metric.edge_ms).max() <= 2


def test_deviations_fade_like_the_forecast(streets):
    """Measured jams and free roads, old and new, and wrong values: within half a percent and two milliseconds."""
    arcs = streets.graph.arc_count
    rng = np.random.default_rng(8)
    live = np.where(rng.random(arcs) < 0.6, rng.uniform(3, 90, arcs), np.nan)
    live[:4] = [0.0, -5.0, np.inf, 1e9]
    at = MONDAY + 8 * 3600
    observed = at - rng.integers(0, 3600, arcs)
    plain, forecast = functions_of(streets)
    ratio = forecast.arc_ratio(at, live, observed)
    functions, _ = functions_of(streets, ratio=ratio, ratio_at_s=at, ratio_tau_s=RESIDUAL_TAU_S)
    for slot in (32, 33, 40, 60, 95):
        metric = streets.engine.metric(StreetMode.CAR, forecast.arc_speed_kmh(MONDAY + (slot + 0.5) * 900, live, observed))
        mine = functions.edge_ms(functions.pace_of(slot, slot + 1), lower=False)
        assert (np.abs(mine.astype(np.int64) - metric.edge_ms) <= 2 + 0.005 * metric.edge_ms).all()
    assert functions.profile_count > plain.profile_count


def test_too_many_deviations_share_coarser_levels(streets, monkeypatch):
    """The number of profiles stays within bounds."""
    monkeypatch.setattr("routing.street.traffic_functions.MOST_PROFILES", 12)
    ratio = np.exp(np.random.default_rng(1).uniform(-1.5, 0.5, streets.graph.arc_count))
    functions, _ = functions_of(streets, ratio=ratio, ratio_at_s=MONDAY, ratio_tau_s=RESIDUAL_TAU_S)
    plain, _ = functions_of(streets)
    assert functions.profile_count < plain.profile_count + 12


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 3, 2), 24)])
def test_nights_with_a_change_of_clocks(streets, day, hours):
    """The local day has 92, 96 or 100 slots; each has the speed of its own wall-clock time."""
    midnight = datetime(*day, tzinfo=LISBON)
    start, end = int(midnight.timestamp()), int(datetime(*day[:2], day[2] + 1, tzinfo=LISBON).timestamp())
    assert (end - start) == hours * 3600
    factor = TrafficProfile.urban(LISBON).slots(start, hours * 4)
    profile = TrafficProfile.urban(LISBON)
    weekday = {5: 1, 6: 2}.get(midnight.weekday(), 0)
    for k in range(hours * 4):
        wall = datetime.fromtimestamp(start + (k + 0.5) * 900, LISBON)
        quarter = wall.hour * 4 + wall.minute // 15
        mean = (profile.factor[weekday, quarter] + profile.factor[weekday, (quarter + 1) % 96]) / 2
        assert factor[k] == pytest.approx(mean)
    functions, _ = functions_of(streets, start_s=start, slots=hours * 4)
    assert functions.slot_count == hours * 4
    assert functions.moment_ms(end) == hours * 4 * SLOT_MS


def test_a_trip_over_midnight_meets_the_next_day_type():
    """Functions from Friday noon on for 36 hours: slots after midnight are Saturday's."""
    friday = MONDAY + 4 * 86400 + 12 * 3600
    factor = TrafficProfile.urban(LISBON).slots(friday, 144)
    primary = ROAD_CLASSES.index("primary")
    at_nine = TrafficProfile.urban(LISBON).factor[1, 36:38, primary].mean()
    assert factor[(12 + 9) * 4, primary] == pytest.approx(at_nine)


def test_ways_between_positions(streets):
    """Both ends part-way along streets, turn costs, a closure: A* = Dijkstra, and a day with no traffic = the static engine."""
    graph, engine = streets.graph, streets.engine
    closed = [streets.arc("BC"), streets.arc("CB")]
    places = streets.at("AB", "DH", "FG", "CB")
    metric = engine.metric(StreetMode.CAR, closed_arcs=closed)
    calm = traffic_functions(graph, metric, MONDAY, np.ones((96, len(ROAD_CLASSES))))
    rush, _ = functions_of(streets, closed=closed)
    hierarchy = build_hierarchy(engine.network(StreetMode.CAR))
    static = engine.many_to_many(metric, places, places)
    for functions in (calm, rush):
        router = TimeDependentRouter(functions, hierarchy)
        sources = timed_anchors(graph, functions, places, leaving=True)
        targets = timed_anchors(graph, functions, places, leaving=False)
        for i in range(4):
            for j in range(4):
                way = router.earliest_arrival(sources.of(i), targets.of(j), 8 * 3_600_000) if i != j else None
                if 3 in (i, j):
                    assert way is None
                elif i != j:
                    took = way.arrive_ms - way.depart_ms
                    assert took == static[i, j] if functions is calm else took >= static[i, j]
                    back = router.latest_departure(sources.of(i), targets.of(j), way.arrive_ms)
                    assert back.depart_ms >= way.depart_ms
    assert calm.arrays.arc_work_ms[closed].tolist() == [CLOSED, CLOSED]


def test_factors_and_ratios_that_are_none_are_refused(streets):
    """Wrong shapes, NaN, zero and negative values name the argument."""
    metric, classes = streets.engine.metric(StreetMode.CAR), len(ROAD_CLASSES)
    for factor in (np.ones((4, 3)), np.zeros((4, classes)), np.full((4, classes), np.nan), np.ones((0, classes))):
        with pytest.raises(InvalidInput, match="factor"):
            traffic_functions(streets.graph, metric, MONDAY, factor)
    for ratio in (np.ones(3), np.full(streets.graph.arc_count, -1.0)):
        with pytest.raises(InvalidInput, match="ratio"):
            traffic_functions(streets.graph, metric, MONDAY, np.ones((4, classes)), ratio=ratio)
    forecast = TrafficForecast.for_city(streets.graph, TrafficProfile.urban(LISBON))
    with pytest.raises(InvalidInput, match="times they were measured"):
        forecast.arc_ratio(MONDAY, np.ones(streets.graph.arc_count), None)
