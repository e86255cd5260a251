"""Drives follow the predicted traffic along the trip, leave at a moment or arrive by one, and say what they stand on."""

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import route_pb2

from routing.model.modes import StreetMode
from services.city.snapshot import CitySnapshot
from services.common.live.state import LiveState, Topic
from services.common.records import Event, Provenance
from services.journeys.keeper import ViewKeeper
from services.journeys.view import JourneyView
from tests.builders.journeys import (
    CAMPANHA,
    MAIA_HILLS,
    MATOSINHOS,
    TRINDADE,
    at,
    ends_s,
    journeys_stub,
    plan_request,
    point,
    standing_clock,
    starts_s,
)
from tests.builders.servers import state_of, state_servers

Request = route_pb2.PlanRouteRequest
PREDICTED, DEPARTURE, FREE = pb.TRAFFIC_BASIS_PREDICTED, pb.TRAFFIC_BASIS_DEPARTURE, pb.TRAFFIC_BASIS_FREE_FLOW
FAR_SOUTH = (41.1290, -8.6060)
PLACES = (TRINDADE, CAMPANHA, MATOSINHOS, MAIA_HILLS, FAR_SOUTH)
MODES = {pb.MODE_CAR: StreetMode.CAR, pb.MODE_VAN: StreetMode.VAN, pb.MODE_TRUCK: StreetMode.TRUCK}


def ask(**wishes: Any) -> route_pb2.PlanRouteRequest:
    """From Maia to Matosinhos by car."""
    return Request(**({"origin": point(MAIA_HILLS), "destination": point(MATOSINHOS)} | wishes))


def closure() -> Event:
    """A closure that says no end."""
    return Event(
        feed="feed", entity="closure", observed_at=at("08:20"), received_at=at("08:20"), valid_until=at("23:00"),
        provenance=Provenance("0" * 64, "http://feed/x", "datex"), kind="closure", version=1, starts_at=at("08:20"),
        ends_at=None,
    )  # fmt: skip


async def view_of(keeper: ViewKeeper, home: Path, closed: tuple[int, ...] = ()) -> JourneyView:
    """View at 8:30 with measured jams and free roads on a fifth of all streets."""
    arcs = keeper.street.graph.arc_count
    rng = np.random.default_rng(4)
    speed = np.where(rng.random(arcs) < 0.2, keeper.street.graph.arc_speed_kmh * rng.uniform(0.2, 1.1, arcs), np.nan)
    with state_servers(home / "state") as servers:
        async with state_of(servers, "porto") as state:
            live = LiveState(state, standing_clock(), street=keeper.street, car_parks=keeper.snapshot.car_parks)
            assert live.traffic is not None
            live.traffic = dataclasses.replace(
                live.traffic,
                epoch=7,
                at=at("08:30"),
                arc_speed_kmh=speed.astype(np.float32),
                arc_observed_s=np.where(np.isfinite(speed), at("08:27"), 0),
                events=(closure(),),
                event_arcs={"feed|closure": np.array(closed, np.int32)},
            )
            return keeper.engines.next_view(keeper.engines.first_view, live, {Topic.TRAFFIC})


def knowing(view: JourneyView, *moments: int, modes: tuple[StreetMode, ...] = (StreetMode.CAR,)) -> JourneyView:
    """The view once the functions of some moments are there."""
    assert view.functions is not None
    for mode, moment in itertools.product(modes, moments):
        view.functions.get(mode, moment)
    return view


@pytest.fixture(scope="module")
def busy(porto_snapshot: CitySnapshot) -> ViewKeeper:
    """A keeper for this module alone: its view has traffic."""
    return ViewKeeper(porto_snapshot, standing_clock())


@pytest.fixture
async def stub(busy: ViewKeeper, tmp_path: Path) -> AsyncIterator[Any]:
    """A server whose view knows the traffic along trips."""
    if busy.view.functions is None:
        busy.view = await view_of(busy, tmp_path)
    knowing(busy.view, at("08:30"), modes=tuple(MODES.values()))
    async with journeys_stub(busy, standing_clock(), tmp_path) as found:
        yield found


@pytest.mark.parametrize("mode", list(MODES))
async def test_ways_are_those_of_dijkstras_algorithm(busy: ViewKeeper, stub: Any, mode: pb.Mode.ValueType) -> None:
    """Before, in and after the rush hour, between all places; the stamp names the traffic, the leg what it stands on."""
    for (origin, destination), clock in zip(itertools.permutations(PLACES, 2), itertools.cycle(("07:50", "18:40", "11:00"))):
        ends = {"origin": point(origin), "destination": point(destination)}
        answer = await stub.PlanRoute(ask(mode=mode, depart_at_unix_s=at(clock), **ends))
        (route,) = answer.routes
        assert (route.legs[0].traffic_basis, answer.stamp.traffic_epoch) == (PREDICTED, 7)
        assert route.departure_unix_s == at(clock)
        assert route.arrival_unix_s == -(-dijkstra_ms(busy.view, MODES[mode], origin, destination, at(clock)) // 1000)


def dijkstra_ms(view: JourneyView, mode: StreetMode, origin: Any, destination: Any, depart_s: int) -> int:
    """Arrival (unix ms) by Dijkstra's algorithm on the travel-time functions."""
    assert view.functions is not None
    timed, street = view.functions.get(mode, depart_s), view.network.street
    functions = timed.functions
    ends = [street.snap(*place, mode) for place in (origin, destination)]
    sources, targets = (timed._anchors(snap, leaving=k == 0) for k, snap in enumerate(ends))
    times = timed.router.all_arrivals(sources, functions.moment_ms(depart_s))
    found = []
    for state, arc, work in zip(targets.state.tolist(), targets.arc.tolist(), targets.work_ms.tolist(), strict=True):
        share = work / max(int(functions.arrays.arc_work_ms[arc]), 1)
        assert 0 <= share <= 1
        pace = functions.arrays.pace[:, functions.arrays.arc_profile[arc]]
        found.append(driven_ms(int(times[state]), work, pace))
    return functions.start_s * 1000 + min(found)


def driven_ms(enter_ms: int, work_ms: int, pace: Any) -> int:
    """End of a piece of work, slot by slot."""
    now, left = float(enter_ms), float(work_ms)
    while left > 0:
        slot = int(now // 900_000)
        ends = (slot + 1) * 900_000
        done = min(left, (ends - now) / float(pace[slot]))
        now, left = (ends, left - done) if left - done > 1e-9 else (now + done * float(pace[slot]), 0.0)
    return int(np.floor(now + 0.5))


async def test_a_trip_into_the_rush_hour_is_not_that_of_its_departure(busy: ViewKeeper, stub: Any) -> None:
    """The metric of half past seven knows nothing of eight o'clock."""
    (route,) = (await stub.PlanRoute(ask(depart_at_unix_s=at("07:30")))).routes
    street, metric = busy.street, busy.view.metric(StreetMode.CAR, at("07:30"), live=True)
    ends = [street.snap(*place, StreetMode.CAR) for place in (MAIA_HILLS, MATOSINHOS)]
    frozen = street.route(metric, ends[0], 0, ends[1], 0)
    assert abs(route.duration_s - frozen.time_ms / 1000) > 10
    assert sum(step.duration_s for step in route.legs[0].steps) <= route.duration_s + len(route.legs[0].steps)


@pytest.mark.parametrize("mode", list(MODES))
async def test_arrivals_are_kept_and_nobody_leaves_too_early(stub: Any, mode: pb.Mode.ValueType) -> None:
    """Leaving when told one is there in time; two seconds later one is late."""
    for clock, (origin, destination) in itertools.product(("08:15", "18:20"), itertools.permutations(PLACES[1:4], 2)):
        ends = {"origin": point(origin), "destination": point(destination), "mode": mode}
        (route,) = (await stub.PlanRoute(ask(arrive_by_unix_s=at(clock), **ends))).routes
        assert route.legs[0].traffic_basis == PREDICTED
        assert at(clock) - 2 <= route.arrival_unix_s <= at(clock)
        (same,) = (await stub.PlanRoute(ask(depart_at_unix_s=route.departure_unix_s, **ends))).routes
        assert same.arrival_unix_s == route.arrival_unix_s
        (later,) = (await stub.PlanRoute(ask(depart_at_unix_s=route.departure_unix_s + 2, **ends))).routes
        assert later.arrival_unix_s > at(clock)


@pytest.mark.parametrize(
    "wishes",
    [
        {"via": [point(CAMPANHA), point(TRINDADE)]},
        {"via": [point(CAMPANHA), point(TRINDADE)], "via_kinds": [Request.VIA_KIND_PASS, Request.VIA_KIND_STOP]},
        {"objective": route_pb2.ROUTE_OBJECTIVE_DISTANCE},
        {"avoid": route_pb2.RouteAvoidance(motorways=True)},
        {"max_alternatives": 3},
    ],
)
@pytest.mark.parametrize("time", [{"depart_at_unix_s": at("08:10")}, {"arrive_by_unix_s": at("09:00")}])
async def test_all_ways_are_timed_by_the_traffic_on_the_way(stub: Any, wishes: dict[str, Any], time: dict[str, int]) -> None:
    """Over places, by other costs, around motorways, alternatives: legs follow each other and keep the time given."""
    answer = await stub.PlanRoute(ask(**wishes, **time))
    for route, figures in zip(answer.routes, answer.figures, strict=True):
        assert {leg.traffic_basis for leg in route.legs} == {PREDICTED}
        for one, two in itertools.pairwise(route.legs):
            assert ends_s(one) == starts_s(two)
        assert (route.departure_unix_s, route.arrival_unix_s) == (starts_s(route.legs[0]), ends_s(route.legs[-1]))
        assert figures.duration_s == route.arrival_unix_s - route.departure_unix_s
        assert route.departure_unix_s == time.get("depart_at_unix_s", route.departure_unix_s)
        assert route.arrival_unix_s <= time.get("arrive_by_unix_s", route.arrival_unix_s)
        assert route.arrival_unix_s >= time.get("arrive_by_unix_s", 0) - 5
    first = answer.routes[0]
    assert all(first.duration_s <= route.duration_s + 2 for route in answer.routes)
    if "max_alternatives" in wishes:
        assert len(answer.routes) >= 2
        assert all(figures.shared <= 0.8 for figures in answer.figures[1:])
        (quickest,) = (await stub.PlanRoute(ask(**time))).routes
        assert first.legs[0].polyline == quickest.legs[0].polyline


@pytest.mark.parametrize("mode", [pb.MODE_WALK, pb.MODE_BICYCLE])
async def test_walkers_and_cyclists_arrive_in_time_too(stub: Any, mode: pb.Mode.ValueType) -> None:
    """No traffic slows them, and nothing is said of it."""
    wishes = {"origin": point(TRINDADE), "destination": point(CAMPANHA), "mode": mode}
    (by,) = (await stub.PlanRoute(ask(arrive_by_unix_s=at("09:00"), **wishes))).routes
    (leave,) = (await stub.PlanRoute(ask(depart_at_unix_s=at("08:30"), **wishes))).routes
    assert by.arrival_unix_s == at("09:00")
    assert by.duration_s == leave.duration_s
    assert by.legs[0].traffic_basis == pb.TRAFFIC_BASIS_UNSPECIFIED


async def test_journeys_by_car_are_those_ways(stub: Any) -> None:
    """Leaving and arriving, alone and with alternatives; drives to car parks are predicted as well."""
    for time in ({"depart_at_unix_s": at("08:05")}, {"arrive_by_unix_s": at("08:50")}):
        (route,) = (await stub.PlanRoute(ask(**time))).routes
        request = plan_request(MAIA_HILLS, MATOSINHOS, modes=[pb.MODE_CAR], **time)
        (journey,) = (await stub.PlanJourneys(request)).itineraries
        assert journey.legs[0].traffic_basis == PREDICTED
        assert journey.duration_s == pytest.approx(route.duration_s, abs=1)
        request.max_alternatives = 2
        others = (await stub.PlanJourneys(request)).itineraries
        assert len(others) >= 2
        assert others[0].legs[0].polyline == journey.legs[0].polyline
    request = plan_request(MAIA_HILLS, TRINDADE, modes=[pb.MODE_PARK_AND_RIDE], depart_at_unix_s=at("08:05"))
    drives = [leg for one in (await stub.PlanJourneys(request)).itineraries for leg in one.legs if leg.mode == pb.MODE_CAR]
    assert drives
    assert {leg.traffic_basis for leg in drives} == {PREDICTED}


async def test_without_functions_the_traffic_of_the_departure_answers(busy: ViewKeeper, stub: Any, tmp_path: Path) -> None:
    """Nothing fails while they are made; free-flowing streets know no traffic; afterwards ways are predicted."""
    view = await view_of(busy, tmp_path / "other")
    known, busy.view = busy.view, view
    try:
        for time in ({"depart_at_unix_s": at("08:10")}, {"arrive_by_unix_s": at("09:00")}):
            for wishes in ({}, {"via": [point(CAMPANHA)]}, {"max_alternatives": 1}):
                answer = await stub.PlanRoute(ask(**wishes, **time))
                assert {leg.traffic_basis for route in answer.routes for leg in route.legs} == {DEPARTURE}
                for route in answer.routes:
                    assert route.departure_unix_s == time.get("depart_at_unix_s", route.departure_unix_s)
                    assert route.arrival_unix_s == time.get("arrive_by_unix_s", route.arrival_unix_s)
        request = plan_request(MAIA_HILLS, MATOSINHOS, modes=[pb.MODE_CAR])
        assert (await stub.PlanJourneys(request)).itineraries[0].legs[0].traffic_basis == DEPARTURE
        (free,) = (await stub.PlanRoute(ask(depart_at_unix_s=at("08:10"), ignore_realtime=True))).routes
        assert free.legs[0].traffic_basis == FREE
        busy.engines.begin_predicting(view)
        async with asyncio.timeout(30):
            while (route := (await stub.PlanRoute(ask(depart_at_unix_s=at("08:10")))).routes[0]).legs[
                0
            ].traffic_basis == DEPARTURE:
                await asyncio.sleep(0.02)
        assert route.legs[0].traffic_basis == PREDICTED
        assert route.duration_s > free.duration_s
    finally:
        busy.view = known


@pytest.mark.usefixtures("stub")
async def test_closures_hold_for_predicted_ways(busy: ViewKeeper, tmp_path: Path) -> None:
    """A way keeps off what is closed, and takes it again when closures are taken to be over."""
    assert busy.view.functions is not None
    street, timed = busy.street, busy.view.functions.get(StreetMode.CAR, at("08:30"))
    ends = [street.snap(*place, StreetMode.CAR) for place in (MAIA_HILLS, MATOSINHOS)]
    path = timed.leave_at(ends[0], 0, ends[1], 0, at("08:30")).path
    shut = path.arcs[len(path.arcs) // 2 :][:3]
    both = [*shut.tolist(), *street.graph.arc_reverse[shut].tolist()]
    view = await view_of(busy, tmp_path / "closed", tuple(arc for arc in both if arc >= 0))
    knowing(view, at("08:30"), at("12:30"))
    around, later = (
        view.functions.get(StreetMode.CAR, moment).leave_at(ends[0], 0, ends[1], 0, moment).path
        for moment in (at("08:30"), at("12:30"))
    )
    assert not np.isin(around.arcs, both).any()
    assert around.time_ms > path.time_ms
    never_closed = timed.leave_at(ends[0], 0, ends[1], 0, at("12:30")).path
    assert later.arcs.tolist() == never_closed.arcs.tolist()


@pytest.mark.parametrize("night", ["2026-10-25", "2027-03-28"])
async def test_nights_with_a_change_of_clocks(busy: ViewKeeper, stub: Any, night: str) -> None:
    """Whoever leaves later arrives later, through the hour that comes twice or not at all, and arrivals are kept."""
    midnight = at("00:00", night)
    knowing(busy.view, midnight - 1200, midnight, midnight + 4 * 3600)
    arrivals = []
    for moment in range(midnight - 1200, midnight + 3 * 3600, 700):
        (route,) = (await stub.PlanRoute(ask(depart_at_unix_s=moment))).routes
        assert route.legs[0].traffic_basis == PREDICTED
        arrivals.append(route.arrival_unix_s)
        (back,) = (await stub.PlanRoute(ask(arrive_by_unix_s=route.arrival_unix_s))).routes
        assert back.departure_unix_s >= moment - 1
    assert arrivals == sorted(arrivals)
