"""Metrics by vehicle, emission class, slot and epoch: zones, closures, bad speeds, bounded memory, swaps under load."""

import threading
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from routing.errors import InvalidInput, StaleInput
from routing.model.modes import StreetMode
from routing.model.strings import StringTable
from routing.model.time_rules import TimeRules
from routing.street.access_rules import AccessRule, AccessRules, EmissionClass
from routing.street.metric_store import MetricStore, metric_bytes
from routing.street.traffic_state import TrafficState
from tests.builders.streets import draw

CAR, TRUCK = StreetMode.CAR, StreetMode.TRUCK
CLEAN, DIRTY = EmissionClass.CLASS_1, EmissionClass.CLASS_4
PARIS = ZoneInfo("Europe/Paris")
NOON = 1_773_140_400
"""Tuesday 2026-03-10, 12:00 in Paris."""
HOURS = TimeRules(
    StringTable.build(["Mo-Fr 08:00-20:00"]), np.array([0, 1], np.int32), np.array([0b11111], np.uint16),
    np.array([480], np.int16), np.array([1200], np.int16),
)  # fmt: skip


@pytest.fixture(scope="module")
def drawn():
    """A short way through the middle, a longer one round it, with hierarchies."""
    town = draw("""
    A B C D
      E F
    ---
    AB
    BC
    CD
    BE
    EF
    CF
    """)
    for mode in (CAR, TRUCK):
        town.engine.hierarchy(mode)
    return town


def arcs(drawn, *pairs):
    """Arcs in both directions."""
    return np.array([drawn.arc(one) for pair in pairs for one in (pair, pair[::-1])], np.int32)


def free(_time_s):
    """No live speed."""


def traffic(drawn, epoch, *rules, speed_at=free, varies=True):
    """A state with rules."""
    return TrafficState(epoch, speed_at, AccessRules(drawn.graph.arc_count, rules, HOURS, PARIS), varies)


def store_of(drawn, *rules, **options):
    """A store with one epoch."""
    store = MetricStore(drawn.engine.metric, **options)
    store.swap(traffic(drawn, 1, *rules))
    return store


def way(drawn, store, mode=CAR, emission=CLEAN, at=NOON):
    """Way from the west to the east."""
    return drawn.way("AB", "CD", mode, store.get(mode, emission, at).metric)


BY_HOURS = """
S A     B T



    D E
---
SA
AB motor_vehicle:conditional=no~@~(Mo-Fr~07:00-10:05)
BT
AD
DE
EB
"""
DIRECT, ASIDE = "SA AB BT", "SA AD DE EB BT"
STRAIGHT, ROUND = "AB BC CD", "AB BE EF FC CD"


def test_a_low_emission_zone_keeps_the_dirty_out_in_its_hours(drawn):
    """By class, by hour of the city's clock, by day of the week."""
    store = store_of(drawn, AccessRule(arcs(drawn, "BC"), from_class=EmissionClass.CLASS_3, hours=0, name="zone"))
    assert way(drawn, store, emission=CLEAN) == STRAIGHT
    assert way(drawn, store, emission=DIRTY) == ROUND
    assert way(drawn, store, emission=EmissionClass.UNCLASSIFIED) == ROUND
    assert way(drawn, store, emission=DIRTY, at=NOON + 8 * 3600 - 1) == ROUND
    assert way(drawn, store, emission=DIRTY, at=NOON + 8 * 3600) == STRAIGHT
    assert way(drawn, store, emission=DIRTY, at=NOON + 4 * 86_400) == STRAIGHT


def test_rules_bind_kinds_of_vehicles_within_their_window(drawn):
    """An event for all from one to two o'clock, a limit for trucks for ever."""
    event = AccessRule(arcs(drawn, "BC"), starts_s=NOON + 3600, ends_s=NOON + 7200, name="market")
    store = store_of(drawn, event, AccessRule(arcs(drawn, "EF"), modes=TRUCK.bit))
    assert [way(drawn, store, at=NOON + s) for s in (3599, 3600, 7199, 7200)] == [STRAIGHT, ROUND, ROUND, STRAIGHT]
    assert [way(drawn, store, TRUCK, at=NOON + s) for s in (0, 3600)] == [STRAIGHT, "-"]


def test_the_closure_of_every_bridge_leaves_no_way(drawn):
    """And whoever stands on a closed street is not on the network; the rest goes on."""
    store = store_of(drawn, AccessRule(arcs(drawn, "BC", "BE")))
    metric = store.get(CAR, CLEAN, NOON).metric
    assert drawn.way("AB", "CD", CAR, metric) == "-"
    assert drawn.way("BC", "CD", CAR, metric) == "-"
    assert drawn.way("EF", "CD", CAR, metric) == "EF FC CD"


@pytest.mark.parametrize("bad", [np.nan, -5.0, 0.0, np.inf, -np.inf])
def test_bad_speeds_are_free_flow(drawn, bad):
    """Not a number, negative, zero, infinite; huge and tiny ones are clamped to what vehicles do."""
    count = drawn.graph.arc_count
    store = store_of(drawn)
    expected = store.get(CAR, CLEAN, NOON).metric.arc_time_ms
    store.swap(traffic(drawn, 2, speed_at=lambda _: np.full(count, bad, np.float32)))
    assert (store.get(CAR, CLEAN, NOON).metric.arc_time_ms == expected).all()
    for epoch, (value, kmh) in enumerate(((1e30, 130.0), (1e-30, 2.0)), 3):
        store.swap(traffic(drawn, epoch, speed_at=lambda _, value=value: np.full(count, value, np.float32)))
        clamped = np.maximum(np.rint(drawn.graph.arc_length_m.astype(np.float64) * 3600 / kmh), 1)
        metric = store.get(CAR, CLEAN, NOON).metric
        used = metric.arc_time_ms != np.uint32(2**32 - 1)
        assert (metric.arc_time_ms[used] == clamped[used]).all()


def test_metrics_are_shared_where_the_same_rules_bind(drawn):
    """Slots, epochs and rules tell metrics apart, classes alone do not."""
    store = store_of(drawn, AccessRule(arcs(drawn, "BC"), from_class=EmissionClass.CLASS_3))
    one = store.get(CAR, CLEAN, NOON)
    assert store.get(CAR, EmissionClass.ELECTRIC, NOON + 899) is one
    assert store.get(CAR, CLEAN, NOON + 900) is not one
    assert store.get(CAR, DIRTY, NOON) is not one
    assert (one.epoch, one.slot, one.rules) == (1, NOON // 900, ())
    assert store.get(CAR, DIRTY, NOON).rules == (0,)
    store.swap(traffic(drawn, 7, varies=False))
    steady = store.get(CAR, CLEAN, NOON)
    assert (steady.epoch, steady.slot, store.epoch) == (7, 0, 7)
    assert store.get(CAR, CLEAN, NOON + 900) is steady


def test_memory_is_bounded(drawn):
    """The longest unused goes first; a metric somebody holds lives on."""
    size = metric_bytes(store_of(drawn).get(CAR, CLEAN, NOON).metric)
    store = store_of(drawn, capacity_bytes=3 * size)
    held = [store.get(CAR, CLEAN, NOON + 900 * k) for k in range(6)]
    assert store.used_bytes() == 3 * size
    assert store.get(CAR, CLEAN, NOON + 900 * 5) is held[5]
    assert store.get(CAR, CLEAN, NOON) is not held[0]
    assert drawn.way("AB", "CD", CAR, held[0].metric) == STRAIGHT


def test_a_failed_epoch_changes_nothing(drawn):
    """An error while the new metrics are made leaves the old epoch in place; older epochs are refused."""
    store = store_of(drawn)

    def broken(_time_s):
        return np.zeros(3, np.float32)

    with pytest.raises(InvalidInput, match="arc_speed_kmh has shape"):
        store.swap(traffic(drawn, 2, speed_at=broken), [(CAR, CLEAN, NOON)])
    assert store.get(CAR, CLEAN, NOON).epoch == 1
    with pytest.raises(StaleInput, match="epoch 1 comes after epoch 1"):
        store.swap(traffic(drawn, 1))
    with pytest.raises(StaleInput, match="no traffic yet"):
        MetricStore(drawn.engine.metric).get(CAR, CLEAN, NOON)


def test_rules_of_hours_on_the_map_are_obeyed_at_the_departure():
    """Closed on weekday mornings, even in the middle of a slot, where speeds never vary; departures alike share a metric."""
    town = draw(BY_HOURS)
    store = MetricStore(town.engine.metric)
    rules = AccessRules(town.graph.arc_count)
    store.swap(TrafficState(1, free, rules, varies=False, hours=town.graph.rules, zone=PARIS))
    for at, expected in ((NOON, DIRECT), (NOON - 3 * 3600, ASIDE), (NOON - 7140, ASIDE), (NOON + 5 * 86_400 - 10_800, DIRECT)):
        assert way_of(town, store, at) == expected, at
    kept = store.used_bytes()
    assert way_of(town, store, NOON + 86_400) == DIRECT
    assert store.used_bytes() == kept
    with pytest.raises(InvalidInput, match="time zone"):
        TrafficState(1, free, rules, hours=town.graph.rules)


def way_of(town, store, at):
    """Way from end to end of the street with hours."""
    return town.way("SA", "BT", CAR, store.get(CAR, CLEAN, at).metric)


def test_epochs_are_swapped_under_load(drawn):
    """Answers of four threads always fit the epoch they name; ready metrics are made side by side, none twice."""
    made = []

    def make(mode, speed, closed, *, rules_holding=None):
        made.append(mode)
        return drawn.engine.metric(mode, speed, closed, rules_holding=rules_holding)

    rule = AccessRule(arcs(drawn, "BC"))
    store = MetricStore(make)
    ready = [(CAR, CLEAN, NOON), (TRUCK, CLEAN, NOON), (CAR, DIRTY, NOON)]
    store.swap(traffic(drawn, 1), ready)
    assert sorted(made) == [CAR, TRUCK]
    wrong, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            stored = store.get(CAR, CLEAN, NOON)
            expected = STRAIGHT if stored.epoch % 2 else ROUND
            if drawn.way("AB", "CD", CAR, stored.metric) != expected:
                wrong.append(stored.epoch)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for epoch in range(2, 30):
        store.swap(traffic(drawn, epoch, *([] if epoch % 2 else [rule])), ready if epoch % 3 else [])
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert store.epoch == 29


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (AccessRule(np.array([10_000], np.int32)), "arcs beyond"),
        (AccessRule(np.array([-1], np.int32)), "arcs beyond"),
        (AccessRule(np.array([0], np.int32), hours=4), "hours"),
        (AccessRule(np.array([0], np.int32), starts_s=5, ends_s=5), "ends before it begins"),
    ],
)
def test_rules_that_make_no_sense_are_refused(drawn, rule, message):
    """What is wrong and in which rule."""
    with pytest.raises(InvalidInput, match=message):
        traffic(drawn, 1, rule)
