"""Changes of plans in words: who moved, why, and what an improvement saves."""

from routing.rounds.api import build_plan
from routing.rounds.change import Change
from routing.rounds.live import LivePlan
from services.rounds.changes import improved_in_words, in_words
from services.rounds.kept import Wish
from tests.builders.rounds import delivery, line_times, problem, van

ORDERS = [delivery(f"o{k}", k, None, 10) for k in range(1, 5)]
WHOLE = problem(5, [van("one", 4), van("two", 4)], ORDERS)
TIMES = line_times([0, 600, 1200, -600, -1200])


def _improved(before: list[list[int]], after: dict[int, list[int]]) -> Change:
    live = LivePlan(WHOLE, TIMES, build_plan(WHOLE, TIMES, before), -10.0)
    change = live.adopt(after)
    assert change is not None
    return change


def test_orders_that_changed_vehicles_say_what_they_save_together() -> None:
    """Two vans that crossed the town for each other's orders."""
    told = improved_in_words(WHOLE, _improved([[0, 2], [1, 3]], {0: [0, 1], 1: [2, 3]}), "accident on Rua Formosa")
    assert told == [
        "order o2 moved from two to one: accident on Rua Formosa, saves 40 min with 1 other move",
        "order o3 moved from one to two: accident on Rua Formosa, saves 40 min with 1 other move",
    ]


def test_one_order_and_another_order_of_stops() -> None:
    """Each group of vehicles says its own; a round in another order names its vehicle; what was left out is served."""
    [one] = improved_in_words(WHOLE, _improved([[0, 2, 1], [3]], {0: [0, 1], 1: [2, 3]}), "van three has broken down")
    assert one.startswith("order o3 moved from one to two: van three has broken down, saves ")
    assert "with" not in one
    turned = improved_in_words(WHOLE, _improved([[2, 0, 3], [1]], {0: [2, 3, 0]}), "snow")
    assert turned == ["one drives its stops in another order: snow, saves 20 min"]
    [taken_in] = improved_in_words(WHOLE, _improved([[0], [2, 3]], {0: [0, 1]}), "order o2 is new")
    assert taken_in.startswith("order o2 is now served by one: order o2 is new, saves ")


def test_an_event_says_who_comes_later() -> None:
    """Shifts of a minute and more are told with their cause."""
    live = LivePlan(WHOLE, TIMES, build_plan(WHOLE, TIMES, [[0, 1], [2, 3]]), -10.0)
    change = live.delay(0, 300.0)
    assert in_words(live.problem, change, "flood") == ["one arrives up to 5 min later: flood"]


def test_a_breakdown_names_what_is_on_board_once() -> None:
    """One line for the vehicle with its orders; the stop it is driving to counts as served."""
    live = LivePlan(WHOLE, TIMES, build_plan(WHOLE, TIMES, [[0, 1], [2, 3]]), -10.0)
    live.advance(100.0)
    told = in_words(live.problem, live.break_down(0), "one has broken down")
    assert [line for line in told if "o2" in line] == ["one has broken down: 1 order on board, no longer served: o2"]
    live = LivePlan(WHOLE, TIMES, build_plan(WHOLE, TIMES, [[0, 1, 2, 3], []]), -10.0)
    live.advance(100.0)
    told = in_words(live.problem, live.break_down(0), "flood")
    assert told[0] == "flood: 3 orders on board of one, no longer served: o2, o3, o4"
    assert not [line for line in told[1:] if "order" in line]


def test_wishes_that_follow_each_other_keep_the_last_causes() -> None:
    """What a plan is improved for names no cause twice and not more than three."""
    wish = Wish("t", "a")
    for cause in ("b", "a", "c", "d"):
        wish = wish.and_then(Wish("t", cause))
    assert wish.cause == "b; c; d"
