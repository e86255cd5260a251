"""Files of other solvers: read as they mean, refused with the line or field that is wrong, whatever they hold."""

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.rounds.api import solve
from routing.rounds.errors import InvalidProblemError
from routing.rounds.formats.mamut import is_mamut, read_mamut
from routing.rounds.formats.plain import is_plain, read_plain
from routing.rounds.formats.vroom import is_vroom, read_vroom

SOLOMON = """C1

VEHICLE
NUMBER     CAPACITY
  3         200

CUSTOMER
CUST NO.  XCOORD.   YCOORD.    DEMAND   READY TIME  DUE DATE   SERVICE TIME

    0      0          0          0          0       1000          0
    1      30         40         10         0       900          90
    2      -30        40         30         100     800          90
"""
LI_LIM = """2 50 1
0 0 0 0 0 1000 0 0 0
1 10 0 5 0 900 10 0 2
2 20 0 -5 0 900 10 1 0
"""
VROOM: dict[str, Any] = {
    "vehicles": [
        {
            "id": 7, "profile": "van", "start_index": 0, "end_index": 0, "capacity": [4], "skills": [1],
            "time_window": [0, 9000],
            "breaks": [{"id": 1, "time_windows": [[3000, 4000]], "service": 600}],
            "costs": {"fixed": 100, "per_hour": 7200, "per_km": 500}, "speed_factor": 2.0, "max_tasks": 9,
        }
    ],
    "jobs": [{"id": 1, "location_index": 1, "setup": 5, "service": 60, "delivery": [1], "skills": [1], "priority": 7,
              "time_windows": [[0, 100], [500, 900]]}],
    "shipments": [{"amount": [2], "pickup": {"id": 1, "location_index": 1}, "delivery": {"id": 2, "location_index": 2}}],
    "matrices": {"van": {"durations": [[0, 100, 200], [100, 0, 100], [200, 100, 0]],
                         "distances": [[0, 10, 20], [10, 0, 10], [20, 10, 0]]}},
}  # fmt: skip
MAMUT: dict[str, Any] = {
    "instance_name": "drawn", "num_customers": 1, "num_vehicles": 1, "vehicle_capacity": 5, "demands": [0, 2],
    "service_times": [0, 30], "time_windows": [[0, 1000], [50, 500]], "horizon": [0, 1000],
    "td": {"model": "atf-ndcpwlf", "atf_path": "drawn.atf.json"},
}  # fmt: skip
ARCS = {"arcs": [[0, 1, [0, 500, 500, 1000], [60, 560, 700, 1200]], [1, 0, [0, 1000], [60, 1060]]]}


def changed(table: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with one field changed; numbers in the path are positions."""
    answer = copy.deepcopy(table)
    *way, last = (int(part) if part.isdigit() else part for part in path.split("."))
    inside: Any = answer
    for part in way:
        inside = inside[part]
    inside[last] = value
    return answer


def test_solomon_means_euclidean_times_and_equal_vans() -> None:
    """Customers keep their numbers; depot hours bound the vans; DIMACS rounding cuts to one decimal."""
    assert is_plain(SOLOMON)
    instance = read_plain(SOLOMON, "C1")
    assert [vehicle.capacity for vehicle in instance.problem.vehicles] == [(200,)] * 3
    assert instance.times.arrival_s(0, 0, 1, 5.0) == 55.0
    assert instance.customer == (1, 2)
    assert instance.problem.visit(1).windows[0].start_s == 100
    assert solve(instance.problem, instance.times, iterations=20).length_m == pytest.approx(160.0)
    cut = read_plain(SOLOMON.replace(" 30  ", " 31  ", 1), "C1", rounding="dimacs").times
    assert cut.arrival_s(0, 0, 1, 0.0) == 50.6


def test_li_lim_pairs_pickups_with_deliveries() -> None:
    """One shipment for each pair, visited in order."""
    assert is_plain(LI_LIM)
    instance = read_plain(LI_LIM, "lc")
    assert instance.customer == (1, 2)
    (shipment,) = instance.problem.shipments
    assert shipment.pickup is not None
    assert shipment.delivery is not None
    assert solve(instance.problem, instance.times, iterations=20).routes() == [[0, 1]]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    2      -30", "    3      -30", "line 12: customer 3 stands where 2"),
        ("800          90", "800", "line 12: has 6 numbers; expected 7"),
        ("100     800", "900     800", "line 12"),
        ("30         100", "-30         100", "line 12.load"),
        ("30         100", "nan         100", "line 12: holds a number that is not finite"),
        ("30         100", "2.5         100", "line 12: the demand is 2.5"),
        ("  3         200", "  3         -1", "line 5: the capacity is -1"),
        ("  3         200", "  0         200", "line 5: 0 vehicles"),
        ("    2      -30", "    x      -30", "line 12"),
    ],
)
def test_wrong_lines_of_text_are_named(old: str, new: str, said: str) -> None:
    """With what was found there."""
    assert old in SOLOMON
    with pytest.raises(InvalidProblemError, match=said):
        read_plain(SOLOMON.replace(old, new), "x")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("0 2\n", "0 9\n", "line 3: its partner 9"),
        ("1 0\n", "0 0\n", "line 4: give|line 3: its partner 2"),
        ("0 2\n", "2 2\n", "line 3: give either"),
    ],
)
def test_partners_must_name_each_other(old: str, new: str, said: str) -> None:
    """A pickup without its delivery is no shipment."""
    with pytest.raises(InvalidProblemError, match=said):
        read_plain(LI_LIM.replace(old, new), "x")


def test_vroom_is_read_as_vroom_means_it() -> None:
    """Costs, speed factor, skills, priority, windows, breaks; the plan keeps to all of them."""
    assert is_vroom(VROOM)
    instance = read_vroom(VROOM)
    (van,) = instance.problem.vehicles
    assert (van.fixed_cost, van.cost_per_s, van.cost_per_m, van.max_stops) == (100, 2.0, 0.5, 9)
    assert (van.skills, van.breaks[0].duration_s) == ({"1"}, 600)
    job, pair = instance.problem.shipments
    assert job.delivery is not None
    assert (job.priority, job.delivery.service_s, len(job.delivery.windows)) == (7, 65, 2)
    assert pair.load == (2,)
    assert instance.times.arrival_s(0, 0, 1, 0.0) == 50.0
    plan = solve(instance.problem, instance.times, iterations=20)
    assert not plan.unserved
    assert any("setup" in note for note in instance.notes)


def test_vroom_places_may_be_coordinates() -> None:
    """[lon, lat]; the same place is one location, and there are no travel times yet."""
    task = {"location": [-8.61, 41.15]}
    table = {"vehicles": [{"id": 1, "start": [-8.6, 41.1]}], "jobs": [{"id": 3, **task}, {"id": 4, **task}]}
    instance = read_vroom(table)
    assert instance.points == ((41.15, -8.61), (41.1, -8.6))
    assert instance.travel_times is None
    assert instance.problem.vehicles[0].end_depot_idx is None
    with pytest.raises(InvalidProblemError, match="no travel times"):
        _ = instance.times


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("vehicles.0.steps", [{"type": "job", "id": 1}], "vehicles[0].steps"),
        ("vehicles.0.max_travel_time", 100, "vehicles[0].max_travel_time"),
        ("vehicles.0.breaks.0.max_load", [0], "vehicles[0].breaks[0].max_load"),
        ("vehicles.0.breaks.0.time_windows", [[0, 1], [2, 3]], "vehicles[0].breaks[0].time_windows"),
        ("vehicles.0.time_window", [5, 1], "vehicles[0].time_window"),
        ("vehicles.0.start_index", None, "vehicles[0].start"),
        ("vehicles.0.capacity", [1, 2], "job 1: amounts"),
        ("jobs.0.pickup", [1], "jobs[0].pickup"),
        ("jobs.0.service", -1, "jobs[0].service"),
        ("jobs.0.service", "long", "jobs[0].service"),
        ("jobs.0.priority", 101, "jobs[0].priority"),
        ("jobs.0.speed", 3, "jobs[0].speed"),
        ("jobs.0.location_index", 3, "matrices"),
        ("jobs.0.time_windows", [[0, 100], [50, 200]], "jobs[0].windows[1]"),
        ("shipments.0.pickup", None, "shipments[0].pickup"),
        ("matrices.van.durations.1", [1, 2], "matrices.van.durations"),
        ("matrices.van.durations.1.0", float("nan"), "matrices.van.durations[1]"),
        ("matrices.van.costs", [[0]], "matrices.van.costs"),
        ("matrices.van", None, "matrices.van"),
        ("options", {"g": True}, "options"),
    ],
)
def test_what_vroom_files_ask_for_and_the_engine_cannot_is_named(path: str, value: object, field: str) -> None:
    """Unknown, unsupported and wrong fields, each by its path; nothing is dropped in silence."""
    with pytest.raises(InvalidProblemError) as caught:
        read_vroom(changed(VROOM, path, value))
    assert field in [finding.field for finding in caught.value.findings], caught.value.findings


def test_all_wrong_fields_of_a_vroom_file_are_told_at_once() -> None:
    """One finding for each job."""
    table = changed(VROOM, "jobs", [{"id": 1, "location_index": 1, "service": -1}, {"id": 2}])
    with pytest.raises(InvalidProblemError) as caught:
        read_vroom(table)
    assert [finding.field for finding in caught.value.findings] == ["jobs[0].service", "jobs[1].location_index"]


def test_mamut_functions_are_exact_at_steps() -> None:
    """The arrival at a step is the smaller one; demands, windows and fleet are those of the file."""
    assert is_mamut(MAMUT)
    instance = read_mamut(MAMUT, lambda _: ARCS)
    assert instance.times.arrival_s(0, 0, 1, 500.0) == 560.0
    assert instance.times.arrival_s(0, 0, 1, 501.0) == 701.0
    assert len(instance.problem.vehicles) == 1
    assert solve(instance.problem, instance.times, iterations=5).duration_s == pytest.approx(150.0)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [("demands", [0], "demands"), ("demands.1", -2, "demands[1]"), ("service_times.1", "x", "service_times[1]"),
     ("time_windows.1", [9, 3], "time_windows[1]"), ("num_customers", 0, "num_customers"), ("td", 5, "td"),
     ("vehicle_capacity", None, "vehicle_capacity")],
)  # fmt: skip
def test_wrong_fields_of_mamut_files_are_named(path: str, value: object, field: str) -> None:
    """By their path."""
    with pytest.raises(InvalidProblemError) as caught:
        read_mamut(changed(MAMUT, path, value), lambda _: ARCS)
    assert caught.value.findings[0].field.startswith(field)


@pytest.mark.parametrize("arcs", [[[0, 1, [0]]], [[0, 5, [0], [1]]], [[0, 1, [0, 1], [1]]], [[0, 1, [1, 0], [1, 2]]], 3, [7]])
def test_wrong_arrival_functions_are_named(arcs: object) -> None:
    """By the arc."""
    with pytest.raises(InvalidProblemError, match="arcs"):
        read_mamut(MAMUT, lambda _: {"arcs": arcs})


scalars = st.one_of(st.none(), st.booleans(), st.integers(-3, 4), st.floats(), st.text(max_size=3))
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8
)


def paths(table: object, path: str = "") -> list[str]:
    """Every place of a table, as `changed` takes it."""
    items: list[tuple[object, object]] = []
    if isinstance(table, dict):
        items = list(table.items())
    elif isinstance(table, list):
        items = list(enumerate(table))
    return [f"{path}{key}" for key, _ in items] + [inner for key, value in items for inner in paths(value, f"{path}{key}.")]


@settings(deadline=None, max_examples=150)
@given(data=st.data(), value=anything)
def test_whatever_stands_in_a_json_file_is_read_or_named(data: st.DataObject, value: object) -> None:
    """One place of a good file is replaced by anything: a problem, or findings with fields, never another error."""
    for table, read in ((VROOM, read_vroom), (MAMUT, lambda one: read_mamut(one, lambda _: ARCS))):
        broken = changed(table, data.draw(st.sampled_from(paths(table))), value)
        is_vroom(broken)
        is_mamut(broken)
        with suppress(InvalidProblemError):
            assert read(broken).problem.shipments


@settings(deadline=None, max_examples=150)
@given(at=st.integers(0, len(SOLOMON)), cut=st.integers(0, 12), put=st.text(alphabet="0123456789.-+e nax\n", max_size=6))
def test_whatever_stands_in_a_text_file_is_read_or_named(at: int, cut: int, put: str) -> None:
    """A few characters of a good file are replaced."""
    for text in (SOLOMON, LI_LIM):
        broken = text[:at] + put + text[at + cut :]
        is_plain(broken)
        with suppress(InvalidProblemError):
            instance = read_plain(broken, "x")
            assert instance.times.location_count == instance.problem.location_count


def test_a_vroom_file_survives_json() -> None:
    """What `json` parses is what the reader expects."""
    assert read_vroom(json.loads(json.dumps(VROOM))).problem == read_vroom(VROOM).problem


@pytest.mark.parametrize("rows", [["010", "100", "000"], [[0, 1, 0], [1, 0, 0], [0, 0, 0]]])
def test_mamut_speeds_by_category(rows: list[object]) -> None:
    """Categories are strings of digits or lists; times follow the speed of the period."""
    td = {
        "model": "igp-profile",
        "time_periods": [[0, 100], [100, 500]],
        "speeds": [[1.0, 2.0], [0.5, 1.0]],
        "categories_path": "c",
    }
    table = MAMUT | {"coordinates": [[0, 0], [30, 40], [60, 80]][: MAMUT["num_customers"] + 1], "td": td}
    n = MAMUT["num_customers"] + 1
    instance = read_mamut(table, lambda _: {"categories": [row[:n] for row in rows[:n]]})
    assert instance.times.arrival_s(0, 0, 1, 0.0) == 100.0
    assert instance.times.arrival_s(0, 0, 1, 100.0) == 150.0
    assert instance.times.arrival_s(0, 0, 1, 50.0) == 125.0
