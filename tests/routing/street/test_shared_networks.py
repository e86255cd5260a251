"""Modes that share a network answer as on networks of their own."""

from dataclasses import replace

import numpy as np
import pytest

from routing.errors import InvalidInput
from routing.kernels.street_search import INFINITE
from routing.model.modes import StreetMode
from routing.street.api import StreetEngine
from routing.street.network import build_network, build_shared_network
from routing.street.profiles import DEFAULT_TURN_COSTS, NETWORK_CLASSES, classes_of
from services.city.osm_reader import build_street_graph
from tests.builders.streets import draw, porto_streets

CAR, VAN, TRUCK, BICYCLE, FOOT, WHEELCHAIR, CARGO_BIKE = StreetMode
TOWN = """
A B C D
  E F
G H I J
---
AB
BC  hgv=no
CD
BE  motor_vehicle=delivery
CF
EF  motor_vehicle=destination
EH  goods=no
FI
GH
HI
IJ
F: barrier=sump_buster
no_left_turn AB B BE
tagged CD C CF restriction:hgv=no_left_turn
tagged AB BC CF restriction:hgv=no_right_turn
tagged GH HI FI restriction:motorcar:conditional=no_left_turn@(Mo)
"""


def alone(graph, mode):
    """A graph on which the engine's network serves one mode only."""
    return replace(graph, arc_access=graph.arc_access & np.uint16(mode.bit))


def turns(network, mode):
    """Turns (arc, arc) of a mode with their costs."""
    cost = network.turn_cost_ms(mode)
    rows = zip(network.edge_arc, network.state_arc[network.edge_to], cost, strict=True)
    return {(int(a), int(b), int(c)) for a, b, c in rows if c < INFINITE}


def test_every_mode_is_in_one_class():
    """The classes part the modes; one network serves all of a class."""
    assert sorted(mode for classes in NETWORK_CLASSES for mode in classes) == sorted(StreetMode)
    drawn = draw(TOWN)
    for mode in StreetMode:
        assert drawn.engine.network(mode) is drawn.engine.network(classes_of(mode)[0])
        assert drawn.engine.metric(mode).mode == mode


@pytest.mark.parametrize("mode", [CAR, VAN, TRUCK, BICYCLE, CARGO_BIKE])
def test_turns_of_each_class(mode):
    """The turns a class may take, and their costs, are those of its own network."""
    graph = draw(TOWN).graph
    shared = build_shared_network(graph, classes_of(mode), DEFAULT_TURN_COSTS)
    own = build_network(graph, mode, DEFAULT_TURN_COSTS[mode])
    assert turns(shared, mode) == turns(own, mode)


def test_classes_differ():
    """The drawn town tells the classes apart: none of the equalities above is empty."""
    network = draw(TOWN).engine.network(CAR)
    ways = [{(a, b) for a, b, _ in turns(network, mode)} for mode in (CAR, VAN, TRUCK)]
    assert ways[0] != ways[1] != ways[2] != ways[0]
    assert len(network.timed_edge) > 0


def test_foreign_modes_are_refused():
    """A network is not asked about a mode it does not serve."""
    with pytest.raises(InvalidInput, match="does not serve FOOT"):
        draw(TOWN).engine.network(CAR).turn_cost_ms(FOOT)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [CAR, VAN, TRUCK, BICYCLE, CARGO_BIKE])
def test_porto(mode):
    """In the inner city, with live speeds and closures: the times of a class on the shared network are those on its own."""
    graph, _ = build_street_graph(porto_streets(), bbox=(41.14, -8.64, 41.17, -8.58))
    shared, own = StreetEngine(graph), StreetEngine(alone(graph, mode))
    rng = np.random.default_rng(int(mode))
    places = shared.snap(rng.uniform(41.14, 41.17, 40), rng.uniform(-8.64, -8.58, 40), mode)
    live = np.where(rng.random(graph.arc_count) < 0.3, rng.uniform(5.0, 90.0, graph.arc_count), np.nan)
    closed = rng.choice(graph.arc_count, 300)
    tables = [engine.many_to_many(engine.metric(mode, live, closed), places, places) for engine in (shared, own)]
    assert (tables[0] == tables[1]).all()
    assert own.network(mode).state_count <= shared.network(mode).state_count
