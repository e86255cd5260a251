"""Tours visit everything in the best order, keep windows with real journeys, and say why when they cannot."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from routing.errors import InvalidInput, OutsideArea, Unreachable
from routing.multimodal.model import JourneyMode, JourneyRequest, LegMode, Point
from routing.multimodal.tour import Tour, TourRequest, TourVisit, plan_tour
from routing.multimodal.visit_order import MANDATORY
from tests.builders.door_to_door import DrawnCity, draw, gaps, place

GAP = " " * 39
STREET = f"""
A{GAP}B{GAP}C{GAP}D
---
ABCD maxspeed=50
===
"""
"""Four places in a row, 2 km apart."""


def quarter(k: int, more: int) -> str:
    """Clock of the `k`-th quarter of an hour from 8 o'clock, plus minutes."""
    return f"{8 + k // 4}:{15 * (k % 4) + more:02d}"


def trip(name: str, stops: str, k: int) -> str:
    """A trip that takes four minutes from stop to stop."""
    return f"{name[0]} {name}{k}: " + " > ".join(f"{stop} {quarter(k, 4 * i)}" for i, stop in enumerate(stops))


BUS = "\n".join(f"{trip('e', 'ABCD', k)}\n{trip('w', 'DCBA', k)}" for k in range(24))
"""A bus every quarter of an hour in both directions, from 8 to 14 o'clock."""


@pytest.fixture(scope="module")
def row() -> DrawnCity:
    """The row of places with its bus."""
    return draw(STREET + BUS)


def visit(city: DrawnCity, letter: str, minutes: int = 10, *windows: str, prize_s: int = MANDATORY) -> TourVisit:
    """A visit at a letter; windows as "9:00-9:30"."""
    spans = tuple((city.drawing.at(span.split("-")[0]), city.drawing.at(span.split("-")[1])) for span in windows)
    return TourVisit(letter, city.at(letter), 60 * minutes, spans, prize_s)


def ask(
    city: DrawnCity, visits: list[TourVisit], clock: str = "8:00", *, modes: str = "walk transit", **options: Any
) -> TourRequest:
    """A round tour from A."""
    base = JourneyRequest(city.at("A"), city.at("A"), city.drawing.at(clock))
    end = options.pop("end", city.at("A"))
    wanted = replace(base, modes=frozenset(JourneyMode(name) for name in modes.split()))
    return TourRequest(city.at("A"), end, tuple(visits), city.drawing.at(clock), wanted, **options)


def flaws(tour: Tour, request: TourRequest) -> list[str]:
    """All that is wrong with a tour; shares no code with the planner."""
    found, now, at = [], request.depart_s, request.start
    for stop in tour.stops:
        name = stop.visit.visit_id
        if stop.itinerary is not None:
            found += gaps(stop.itinerary)
            if stop.itinerary.departure_s < now:
                found.append(f"leaves for {name} before the visit before ends")
            if place(stop.itinerary.legs[0].origin) != place(at) or place(stop.itinerary.legs[-1].destination) != place(
                stop.visit.point
            ):
                found.append(f"the journey to {name} starts or ends elsewhere")
            if stop.itinerary.arrival_s != stop.arrival_s:
                found.append(f"arrival at {name} is not that of its journey")
        elif place(at) != place(stop.visit.point):
            found.append(f"no journey to {name}")
        if not stop.arrival_s <= stop.begin_s or stop.leave_s != stop.begin_s + stop.visit.stay_s:
            found.append(f"times at {name} do not add up")
        if stop.visit.windows and not any(a <= stop.begin_s <= b for a, b in stop.visit.windows):
            found.append(f"{name} begins outside its windows")
        now, at = stop.leave_s, stop.visit.point
    if tour.way_home is not None:
        found += gaps(tour.way_home)
        if tour.way_home.departure_s < now or place(tour.way_home.legs[-1].destination) != place(request.end or at):
            found.append("the way home leaves too early or leads elsewhere")
    if request.arrive_by_s is not None and tour.arrival_s > request.arrive_by_s:
        found.append("home too late")
    made = [stop.visit.visit_id for stop in tour.stops] + [left.visit_id for left in tour.left_out]
    if sorted(made) != sorted(v.visit_id for v in request.visits):
        found.append("visits are missing or doubled")
    return found


def order(tour: Tour) -> str:
    """Visits in the order made."""
    return "".join(stop.visit.visit_id for stop in tour.stops)


def test_visits_on_a_row_are_not_made_zigzag(row: DrawnCity) -> None:
    """With equal windows a round tour is as short as the best of all orders; each is planned with its order fixed."""
    request = ask(row, [visit(row, letter) for letter in "CBD"])
    tour = plan_tour(row.network, request)
    assert flaws(tour, request) == []
    assert tour.proven_optimal
    others = []
    for letters in itertools.permutations("BCD"):
        fixed = ask(row, [visit(row, letter) for letter in letters], fixed_order=True)
        planned = plan_tour(row.network, fixed)
        assert order(planned) == "".join(letters)
        assert flaws(planned, fixed) == []
        others.append(planned.arrival_s)
    assert tour.arrival_s <= min(others) + 120, "journeys within two minutes of the first arrival count as equal"


def test_windows_decide_the_order(row: DrawnCity) -> None:
    """The far place opens first."""
    request = ask(row, [visit(row, "B", 10, "10:00-10:30"), visit(row, "D", 10, "8:30-9:00"), visit(row, "C", 10, "9:15-9:45")])
    tour = plan_tour(row.network, request)
    assert order(tour) == "DCB"
    assert flaws(tour, request) == []


def test_of_several_windows_one_is_met(row: DrawnCity) -> None:
    """Closed over midday: the visit begins before or after, never between."""
    request = ask(row, [visit(row, "D", 20, "8:00-8:05", "10:00-10:10")])
    tour = plan_tour(row.network, request)
    assert flaws(tour, request) == []
    assert row.clock(tour.stops[0].begin_s) == "10:00:00"


def test_an_optional_visit_is_made_when_it_is_worth_it_and_left_out_when_not(row: DrawnCity) -> None:
    """B lies on the way to C: ten minutes of stay. D costs a ride there and back beyond it."""
    cheap = ask(row, [visit(row, "C"), visit(row, "D", 10, prize_s=60)])
    tour = plan_tour(row.network, cheap)
    assert (order(tour), [left.visit_id for left in tour.left_out]) == ("C", ["D"])
    assert flaws(tour, cheap) == []
    dear = ask(row, [visit(row, "C"), visit(row, "D", 10, prize_s=4 * 3600)])
    full = plan_tour(row.network, dear)
    assert sorted(order(full)) == ["C", "D"]
    assert full.arrival_s > tour.arrival_s + 60, "or leaving it out would not have been right"


def test_an_optional_visit_whose_window_cannot_be_met_is_left_out(row: DrawnCity) -> None:
    """A window long before the departure harms nobody but its visit."""
    request = ask(row, [visit(row, "B"), visit(row, "D", 10, "6:00-7:00", prize_s=7200)])
    tour = plan_tour(row.network, request)
    assert (order(tour), [left.visit_id for left in tour.left_out]) == ("B", ["D"])


def test_impossible_windows_are_said_in_words(row: DrawnCity) -> None:
    """Two visits 4 km apart at the same minute; one before the departure; home before the visit ends."""
    same_time = ask(row, [visit(row, "B", 30, "9:00-9:05"), visit(row, "D", 30, "9:00-9:05")])
    with pytest.raises(InvalidInput, match="widen a window, drop a visit or depart earlier") as caught:
        plan_tour(row.network, same_time)
    assert caught.value.field == "visits"
    with pytest.raises(InvalidInput, match=r"visit 'B' \(number 1\) may only begin before the tour departs"):
        plan_tour(row.network, ask(row, [visit(row, "B", 10, "7:00-7:30")]))
    with pytest.raises(InvalidInput, match="no order of the visits keeps all windows"):
        plan_tour(row.network, ask(row, [visit(row, "D", 60)], arrive_by_s=row.drawing.at("8:50")))


def test_arrive_by_is_kept(row: DrawnCity) -> None:
    """The same tour with enough time comes home in time."""
    request = ask(row, [visit(row, "D", 20)], arrive_by_s=row.drawing.at("9:15"))
    tour = plan_tour(row.network, request)
    assert flaws(tour, request) == []


def test_an_open_end_stops_at_the_last_visit(row: DrawnCity) -> None:
    """Nobody has to go home: the far end comes last."""
    request = ask(row, [visit(row, "D"), visit(row, "B")], end=None)
    tour = plan_tour(row.network, request)
    assert tour.way_home is None
    assert order(tour) == "BD"
    assert flaws(tour, request) == []


def test_a_car_of_ones_own_comes_along_or_stays_at_home(row: DrawnCity) -> None:
    """With car and transit allowed one tour uses the car for every journey, and no journey leaves it behind."""
    request = ask(row, [visit(row, "C"), visit(row, "D")], modes="walk transit car")
    tour = plan_tour(row.network, request)
    used = {leg.mode for stop in tour.stops for leg in (stop.itinerary.legs if stop.itinerary else ())}
    assert used == {LegMode.CAR}, "driving 2 km takes minutes, waiting for a bus longer"
    assert flaws(tour, request) == []


def test_two_visits_at_one_place_need_no_journey_between_them(row: DrawnCity) -> None:
    """The second begins when the first ends."""
    there = visit(row, "C")
    request = ask(row, [there, replace(there, visit_id="again")])
    tour = plan_tour(row.network, request)
    assert tour.stops[1].itinerary is None
    assert tour.stops[1].begin_s == tour.stops[0].leave_s
    assert flaws(tour, request) == []


def test_the_same_id_twice_names_the_field(row: DrawnCity) -> None:
    """Answers could not be told apart."""
    with pytest.raises(InvalidInput, match="given twice") as caught:
        ask(row, [visit(row, "B"), visit(row, "B")])
    assert caught.value.field == "visits[1].visit_id"


def test_a_visit_outside_the_city_names_the_field(row: DrawnCity) -> None:
    """Which of the visits, in the words of the request."""
    away = TourVisit("away", Point(42.0, -8.0))
    with pytest.raises(OutsideArea) as caught:
        plan_tour(row.network, ask(row, [visit(row, "B"), away]))
    assert caught.value.field == "visits[1].location"


def test_a_place_nobody_can_reach_in_time_fails_with_a_sentence(row: DrawnCity) -> None:
    """At night there is no bus, and 6 km are too far to walk within the limit."""
    request = ask(row, [visit(row, "D")], "20:00", modes="transit")
    with pytest.raises((InvalidInput, Unreachable), match=r"widen a window|allow more modes"):
        plan_tour(row.network, request)


def test_a_delayed_bus_is_planned_around(row: DrawnCity) -> None:
    """The only bus that meets the window is late: its visit cannot be made any more, or begins late but in its window."""
    request = ask(row, [visit(row, "D", 10, "8:10-8:20")])
    assert row.clock(plan_tour(row.network, request).stops[0].arrival_s) == "8:12:00"
    late = row.delayed("e0", 300)
    assert late.clock(plan_tour(late.network, request).stops[0].arrival_s) == "8:17:00"
    with pytest.raises(InvalidInput):
        plan_tour(row.delayed("e0", 900).network, request)
