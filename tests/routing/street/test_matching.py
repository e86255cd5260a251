"""Map matching: positions with errors become the streets travelled, and what cannot be used is said."""

import itertools

import numpy as np
import pytest

from loadtest.match_traces import simulate
from routing.errors import InvalidInput
from routing.model.modes import StreetMode
from routing.street.api import StreetEngine
from routing.street.candidates import list_candidates
from routing.street.match_points import in_order
from routing.street.matching import (
    Matched,
    MatchOptions,
    PointStatus,
    TraceMatcher,
    build_layers,
    distance_cost,
    hidden_markov_model,
)
from routing.street.snapping import SnapGrid, usable_for_snapping
from services.city.osm_reader import build_street_graph
from tests.builders.streets import METRES_PER_DEGREE, ORIGIN_DEG, Drawn, draw, porto_streets

MAIN = """
A B C D E
  F   G
---
AB    name=Main_Street
BC    name=Main_Street
CD    name=Main_Street
DE    name=Main_Street
BF    name=First_Street
DG    name=Second_Street
FG    name=Low_Street
"""


def at(drawn: Drawn, arc: str, fraction: float, east_m: float = 0.0, north_m: float = 0.0) -> tuple[float, float]:
    """A position beside an arc, so many metres east and north of the point at `fraction`."""
    a, b = (drawn.node(letter) for letter in arc)
    lat = drawn.graph.node_lat_e7 * 1e-7
    lon = drawn.graph.node_lon_e7 * 1e-7
    stretch = METRES_PER_DEGREE * np.cos(np.radians(ORIGIN_DEG[0]))
    return (
        float(lat[a] + fraction * (lat[b] - lat[a]) + north_m / METRES_PER_DEGREE),
        float(lon[a] + fraction * (lon[b] - lon[a]) + east_m / stretch),
    )


def matcher(drawn: Drawn, mode: StreetMode = StreetMode.CAR) -> TraceMatcher:
    """A matcher of the drawing."""
    return TraceMatcher(SnapGrid(drawn.engine.graph), drawn.engine.metric(mode))


def match(
    drawn: Drawn, points: list[tuple[float, float]], time_s: list[float] | None = None, mode: StreetMode = StreetMode.CAR
) -> Matched:
    """Match one trace, a position every ten seconds unless said otherwise."""
    lat, lon = zip(*points, strict=True)
    times = [10.0 * k for k in range(len(points))] if time_s is None else time_s
    return matcher(drawn, mode).match(lat, lon, times)


def statuses(answer: Matched) -> str:
    """What became of the positions, as text."""
    return " ".join(PointStatus(value).name for value in answer.status.tolist())


def test_a_straight_drive() -> None:
    """A straight drive."""
    drawn = draw(MAIN)
    answer = match(drawn, [at(drawn, "AB", 0.2, 0, 7), at(drawn, "BC", 0.3, 4, -6), at(drawn, "CD", 0.4, -3, 5)])
    assert drawn.letters(answer.arcs) == "AB BC CD"
    assert drawn.letters(answer.arc) == "AB BC CD"
    assert answer.place.tolist() == [0, 1, 2]
    assert statuses(answer) == "START CONTINUED CONTINUED"
    assert answer.distance_m == pytest.approx([7, 6, 5], abs=0.2)
    assert answer.confidence.min() > 0.9


def test_a_turn_between_two_positions() -> None:
    """A turn between two positions."""
    drawn = draw(MAIN)
    answer = match(
        drawn, [at(drawn, "AB", 0.5), at(drawn, "BF", 0.5), at(drawn, "FG", 0.4), at(drawn, "GD", 0.6), at(drawn, "DE", 0.5)]
    )
    assert drawn.letters(answer.arcs) == "AB BF FG GD DE"


def test_streets_between_distant_positions_are_filled_in() -> None:
    """Streets between distant positions are filled in."""
    drawn = draw(MAIN)
    answer = match(drawn, [at(drawn, "AB", 0.1), at(drawn, "DE", 0.9)], [0.0, 40.0])
    assert drawn.letters(answer.arcs) == "AB BC CD DE"
    assert answer.place.tolist() == [0, 3]


def test_a_car_that_passes_a_side_street_does_not_turn_into_it() -> None:
    """A car that passes a side street does not turn into it."""
    drawn = draw(MAIN)
    answer = match(drawn, [at(drawn, "AB", 0.5), at(drawn, "AB", 1.0, 0, -12), at(drawn, "BC", 0.5), at(drawn, "CD", 0.5)])
    assert drawn.letters(answer.arcs) == "AB BC CD"


def test_turning_round_at_the_end_of_a_street() -> None:
    """Turning round at the end of a street."""
    drawn = draw(MAIN)
    there = [at(drawn, "CD", 0.5), at(drawn, "DE", 0.3), at(drawn, "DE", 0.95)]
    answer = match(drawn, [*there, at(drawn, "DE", 0.2), at(drawn, "CD", 0.4), at(drawn, "BC", 0.3)])
    assert drawn.letters(answer.arcs) == "CD DE ED DC CB"


def test_standing_still_is_no_drive() -> None:
    """Standing still is no drive."""
    drawn = draw(MAIN)
    wobble = [at(drawn, "BC", 0.5, dx, dy) for dx, dy in [(0, 3), (-9, -4), (8, 1), (-4, 9), (5, -7), (-2, 2)]]
    answer = match(drawn, [at(drawn, "AB", 0.4), *wobble, at(drawn, "CD", 0.5)])
    assert drawn.letters(answer.arcs) == "AB BC CD"


def test_one_way_streets_are_travelled_their_way() -> None:
    """One way streets are travelled their way."""
    drawn = draw("""
A B C
D E F
---
AB oneway=yes
BC oneway=yes
FE oneway=yes
ED oneway=yes
CF oneway=yes
DA oneway=yes
""")
    answer = match(
        drawn, [at(drawn, "AB", 0.5), at(drawn, "BC", 0.7), at(drawn, "FE", 0.6), at(drawn, "ED", 0.5)], [0, 12, 45, 60]
    )
    assert drawn.letters(answer.arcs) == "AB BC CF FE ED"


def test_order_and_repetition_of_time_stamps() -> None:
    """Order and repetition of time stamps."""
    drawn = draw(MAIN)
    points = [at(drawn, "AB", 0.2), at(drawn, "CD", 0.4), at(drawn, "BC", 0.3), at(drawn, "BC", 0.9), at(drawn, "DE", 0.5)]
    answer = match(drawn, points, [0.0, 20.0, 10.0, 10.0, 30.0])
    assert drawn.letters(answer.arcs) == "AB BC CD DE"
    assert statuses(answer) == "START CONTINUED CONTINUED DUPLICATE CONTINUED"
    assert answer.place.tolist() == [0, 2, 1, -1, 3]


def test_positions_without_sense_stop_nothing() -> None:
    """Positions without sense stop nothing."""
    drawn = draw(MAIN)
    nan = float("nan")
    points = [
        at(drawn, "AB", 0.2),
        (nan, -8.6),
        (91.0, 0.0),
        at(drawn, "BC", 0.3),
        at(drawn, "BC", 0.5, 0, 900),
        at(drawn, "CD", 0.4),
        at(drawn, "CD", 0.5),
    ]
    answer = match(drawn, points, [0.0, 3.0, 6.0, 10.0, 60.0, 110.0, nan])
    assert statuses(answer) == "START INVALID INVALID CONTINUED OFF_STREET CONTINUED INVALID"
    assert drawn.letters(answer.arcs) == "AB BC CD"
    assert np.isnan(answer.fraction[[1, 2, 4, 6]]).all()


def test_a_jump_there_and_back_is_an_outlier() -> None:
    """A jump there and back is an outlier."""
    drawn = draw("A B C D E F G O\n\n\nH I J K L M N\n---\nAB\nBC\nCD\nDE\nEF\nFG\nGO\nHI\nIJ\nJK\nKL\nLM\nMN\nAH\nGN")
    points = [at(drawn, "AB", 0.5), at(drawn, "BC", 0.5), at(drawn, "JK", 0.5), at(drawn, "DE", 0.5), at(drawn, "EF", 0.5)]
    answer = match(drawn, points)
    assert statuses(answer) == "START CONTINUED OUTLIER CONTINUED CONTINUED"
    assert drawn.letters(answer.arcs) == "AB BC CD DE EF"


def test_breaks_are_named() -> None:
    """Breaks are named."""
    drawn = draw(MAIN)
    answer = match(
        drawn, [at(drawn, "AB", 0.2), at(drawn, "BC", 0.3), at(drawn, "CD", 0.5), at(drawn, "DE", 0.5)], [0, 10, 2000, 2010]
    )
    assert answer.list_breaks(0) == [(2, PointStatus.GAP_IN_TIME)]
    assert drawn.letters(answer.arcs) == "AB BC CD DE"


def test_a_move_no_street_allows_is_a_break() -> None:
    """A move no street allows is a break."""
    drawn = draw(
        "A B C D E\n        F\n        G\n---\nAB oneway=yes\nBC oneway=yes\nCD oneway=yes\nDE oneway=yes\nEFG\n"
        "GA oneway=yes highway=motorway"
    )
    start = [at(drawn, "CD", 0.3), at(drawn, "CD", 0.6), at(drawn, "DE", 0.2)]
    back = [at(drawn, "AB", 0.2), at(drawn, "AB", 0.6), at(drawn, "BC", 0.3), at(drawn, "BC", 0.9)]
    answer = match(drawn, [*start, *back], [0, 3, 6, 9, 12, 15, 18])
    assert answer.list_breaks(0) == [(3, PointStatus.NO_WAY)]


def test_walkers_go_both_ways_and_along_paths() -> None:
    """Walkers go both ways and along paths."""
    drawn = draw("A B C\n  D E\n---\nAB oneway=yes\nBC oneway=yes\nCA\nBD highway=footway\nDE highway=footway")
    answer = match(drawn, [at(drawn, "CB", 0.4), at(drawn, "BD", 0.5), at(drawn, "DE", 0.5)], [0, 80, 160], StreetMode.FOOT)
    assert drawn.letters(answer.arcs) == "CB BD DE"
    cars = match(drawn, [at(drawn, "BD", 0.6), at(drawn, "DE", 0.5)], [0, 80])
    assert statuses(cars) == "OFF_STREET OFF_STREET"


def test_many_traces_at_once_are_answered_like_one_by_one() -> None:
    """Many traces at once are answered like one by one."""
    drawn = draw(MAIN)
    traces = [
        [at(drawn, "AB", 0.2), at(drawn, "BC", 0.3)],
        [],
        [at(drawn, "GD", 0.5), at(drawn, "DC", 0.5)],
        [at(drawn, "FG", 0.5)],
    ]
    points = np.array([point for trace in traces for point in trace])
    first = np.cumsum([0, *(len(trace) for trace in traces)])
    answer = matcher(drawn).match(points[:, 0], points[:, 1], None, first)
    assert [drawn.letters(answer.arcs_of(trace)) for trace in range(4)] == ["AB BC", "", "GD DC", "FG"]
    assert answer.list_breaks(2) == []


def test_the_answer_is_the_cheapest_sequence_and_its_probabilities_add_up() -> None:
    """Viterbi's choice and the confidences against all sequences, written out."""
    drawn = draw("A B C D\nE F G H\n---\nAB\nBC\nCD\nEF\nFG\nGH\nAE\nBF\nCG\nDH")
    rng = np.random.default_rng(5)
    model = hidden_markov_model(MatchOptions(sigma_m=25.0))._replace(beam=1e6, suspect=1e9, break_cost=1e6)
    grid, metric = SnapGrid(drawn.engine.graph), drawn.engine.metric(StreetMode.CAR)
    for _ in range(5):
        points = np.array([at(drawn, arc, 0.5, *rng.normal(0, 25, 2)) for arc in ("AB", "BC", "CG", "GH")])
        found = list_candidates(
            grid,
            points[:, 0],
            points[:, 1],
            usable_for_snapping(drawn.engine.graph, StreetMode.CAR),
            120.0,
            5,
            both_directions=True,
        )
        emission = distance_cost(found.distance_m, 25.0)
        layers = build_layers(found, emission, points[:, 0], points[:, 1], np.arange(4) * 10.0, None)
        TraceMatcher(grid, metric).run(layers, np.array([0, 4]), model)
        costs = {}
        for way in itertools.product(*(range(count) for count in found.count)):
            cost = sum(float(emission[k, i]) for k, i in enumerate(way))
            costs[way] = cost + sum(float(layers.step[k, way[k], way[k - 1]]) for k in range(1, 4))
        best = min(costs, key=lambda way: costs[way])
        assert costs[tuple(layers.chosen.tolist())] == pytest.approx(costs[best], rel=1e-5)
        total = sum(np.exp(-cost) for cost in costs.values())
        for k in range(4):
            share = sum(np.exp(-cost) for way, cost in costs.items() if way[k] == layers.chosen[k]) / total
            assert layers.confidence[k] == pytest.approx(share, rel=1e-4)


@pytest.mark.parametrize(
    ("lat", "lon", "time", "first", "field"),
    [
        ([1.0, 2.0], [1.0], None, None, "lat_deg"),
        ([1.0, 2.0], [1.0, 2.0], [1.0], None, "lat_deg"),
        ([1.0, 2.0], [1.0, 2.0], None, [0, 1], "first_point"),
        ([1.0, 2.0], [1.0, 2.0], None, [0, 2, 1, 2], "first_point"),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    lat: list[float], lon: list[float], time: list[float] | None, first: list[int] | None, field: str
) -> None:
    """Columns that do not fit are refused."""
    with pytest.raises(InvalidInput) as raised:
        in_order(lat, lon, time, first, 70.0)
    assert raised.value.field == field


@pytest.mark.parametrize("name", ["sigma_m", "gap_s", "beta_share", "max_mps", "candidates"])
def test_options_out_of_bounds_are_refused(name: str) -> None:
    """Options out of bounds are refused."""
    with pytest.raises(InvalidInput, match=name):
        MatchOptions(**{name: -1})


@pytest.mark.slow
def test_simulated_drives_in_porto_are_recovered() -> None:
    """Of the metres driven, 99.5 % and more are in the answer; positions every 10 s with errors of 8 m in each direction."""
    graph, _ = build_street_graph(porto_streets(), bbox=(41.12, -8.70, 41.19, -8.56))
    engine = StreetEngine(graph)
    drives = simulate(engine, 12, 3, 10.0, 8.0)
    first = np.cumsum([0, *(len(drive.lat_deg) for drive in drives)])
    lat, lon, time = (np.concatenate([getattr(drive, name) for drive in drives]) for name in ("lat_deg", "lon_deg", "time_s"))
    answer = TraceMatcher(SnapGrid(engine.graph), engine.metric(StreetMode.CAR)).match(lat, lon, time, first)
    found = sum(drive.travelled_m[np.isin(drive.arcs, answer.arcs_of(k))].sum() for k, drive in enumerate(drives))
    assert found / sum(drive.travelled_m.sum() for drive in drives) >= 0.995
