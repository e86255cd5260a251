"""Max pressure chooses the stage that moves most vehicles, and stabilises what a fixed plan does not."""

import numpy as np
import pytest

from tests.builders.corridors import corridor, demand_of
from tests.builders.signals import junction
from traffic_lights.adaptive.max_pressure import MaxPressure
from traffic_lights.adaptive.strategy import StageView
from traffic_lights.api import Controller, Mode
from traffic_lights.build import build_intersection
from traffic_lights.detection import Detection
from traffic_lights.guard import Guard
from traffic_lights.offline.webster import build_webster_plan
from traffic_lights.simulation.closed_loop import run_closed_loop


def _detection(queue: np.ndarray, space: float = np.inf) -> Detection:
    zero = np.zeros(len(queue), np.float32)
    return Detection(queue.astype(np.float32), zero, zero, np.full(len(queue), space, np.float32), zero.astype(np.int32))


def test_goes_where_the_queue_is_and_stays_where_it_is() -> None:
    """A long queue elsewhere is served; the queue being served is not left."""
    x = build_intersection(junction(0, 90, 180, 270))
    strategy = MaxPressure(x, Guard(x).tables)
    waiting = np.array([10.0 if x.green[1, m.group] and not x.green[0, m.group] else 0.0 for m in x.movements])
    assert strategy.choose(StageView(0, 20, 100), _detection(waiting)) == 1
    assert strategy.choose(StageView(1, 20, 101), _detection(waiting)) == 1


def test_full_exits_press_nothing() -> None:
    """Spillback: vehicles that cannot leave are no reason to change."""
    x = build_intersection(junction(0, 90, 180, 270))
    strategy = MaxPressure(x, Guard(x).tables)
    waiting = np.array([10.0 if x.green[1, m.group] and not x.green[0, m.group] else 0.0 for m in x.movements])
    assert strategy.choose(StageView(0, 20, 100), _detection(waiting, space=0.0)) == 0


@pytest.mark.slow
def test_stabilises_demand_a_fixed_plan_does_not() -> None:
    """A plan made for the wrong demand grows queues without end; max pressure on the same arrivals keeps them short."""
    network = corridor(2, main_vph=1100, side_vph=150)
    waiting = {}
    for mode in (Mode.FIXED, Mode.ACTIVE):
        controllers = tuple(
            Controller(x, build_webster_plan(x, demand_of(network, i, 150, 450)).plan, mode)
            for i, x in enumerate(network.intersections)
        )
        *_, half, last = run_closed_loop(network, controllers, start_s=0, seconds=2400, seed=3, every_s=1200)
        waiting[mode] = [r.totals.queue_veh + r.totals.waiting_outside for r in (half, last)]
    assert waiting[Mode.FIXED][1] > 1.5 * waiting[Mode.FIXED][0] > 100
    assert max(waiting[Mode.ACTIVE]) < 60
