"""The queue model loses no vehicle, obeys the lamps, repeats with its seed, and agrees with the formula."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders.corridors import corridor, demand_of
from traffic_lights.api import Controller, Mode
from traffic_lights.offline.webster import build_webster_plan, compute_delay_s
from traffic_lights.simulation.closed_loop import LoopReport, run_closed_loop
from traffic_lights.simulation.network import QueueNetwork, build_network
from traffic_lights.simulation.simulation import Simulation


def _run(network: QueueNetwork, mode: Mode, seed: int, seconds: int = 900) -> list[LoopReport]:
    controllers = tuple(
        Controller(x, build_webster_plan(x, demand_of(network, i, 700, 300)).plan, mode)
        for i, x in enumerate(network.intersections)
    )
    return list(run_closed_loop(network, controllers, start_s=0, seconds=seconds, seed=seed, every_s=30))


@pytest.mark.parametrize("main_vph", [300.0, 2500.0])
def test_no_vehicle_is_lost(main_vph: float) -> None:
    """At every moment in = out + inside, also when streets are full and queues reach outside."""
    for report in _run(corridor(3, main_vph, block_m=80), Mode.ACTIVE, 5):
        t = report.totals
        assert t.generated == t.entered + t.waiting_outside
        assert t.entered == t.left + t.inside
    assert t.generated > 100


def test_same_seed_same_run_and_same_arrivals_for_all_controllers() -> None:
    """Runs repeat exactly; two controllers with one seed meet the same arrivals."""
    network = corridor(3)
    assert _run(network, Mode.ACTIVE, 7) == _run(network, Mode.ACTIVE, 7)
    assert _run(network, Mode.ACTIVE, 7)[-1].totals.generated == _run(network, Mode.FIXED, 7)[-1].totals.generated
    assert _run(network, Mode.ACTIVE, 7)[-1].totals != _run(network, Mode.ACTIVE, 8)[-1].totals


def test_red_stops_everybody() -> None:
    """Under red nobody passes: all who came are still there."""
    network = corridor(2)
    simulation = Simulation(network, 1)
    for _ in range(300):
        simulation.step([bytes(len(x.groups)) for x in network.intersections])
    totals = simulation.totals()
    assert totals.left == 0
    assert totals.generated == totals.inside + totals.waiting_outside > 50


def test_streets_never_hold_more_than_they_can() -> None:
    """Storage is kept on every link at every second of an overloaded corridor."""
    network = corridor(3, 2500, 900, block_m=60)
    simulation = Simulation(network, 2)
    rng = np.random.default_rng(1)
    for _ in range(600):
        simulation.step([rng.integers(0, 4, len(x.groups)).astype(np.uint8).tobytes() for x in network.intersections])
        assert (simulation._count <= network.link_storage_veh).all()
        assert (simulation._queue >= 0).all()


def test_delay_agrees_with_webster_on_one_movement() -> None:
    """One movement, random arrivals, fixed green: mean delay within 15 % of Webster's formula."""
    base = corridor(1, 0, 0)
    x = base.intersections[0]
    keep = next(m for m in x.movements if m.approach == 0 and m.turn == 0)
    alone = replace(x, movements=(replace(keep, saturation_flow_vph=1800.0),))
    from traffic_lights.simulation.network import LinkSpec  # noqa: PLC0415

    network = build_network((alone,), (LinkSpec(0, 3000, demand_vph=500), LinkSpec(keep.exit, 250)))
    simulation = Simulation(network, 11)
    green, red = bytearray(len(x.groups)), bytes(len(x.groups))
    green[keep.group] = 2
    for t in range(40_000):
        simulation.step([bytes(green) if t % 60 < 30 else red])
    expected = compute_delay_s(60, 28, 500, 1800)  # two seconds of start-up are lost
    assert simulation.totals().mean_delay_s == pytest.approx(expected, rel=0.15)
