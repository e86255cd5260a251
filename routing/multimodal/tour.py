"""Several visits in the best order by any mix of modes.

First the order: a matrix of multimodal times for a few departure slots, solved exactly (`visit_order`). Then the journeys: each
is planned with the full planner at the time it really starts. If a planned journey takes longer than the matrix said and
breaks a window, the matrix is corrected with what was found and the order is solved again.

A car or bicycle of one's own is taken along: a tour uses it for every journey or for none, the quicker of the two; walking and
public transport mix freely.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from routing.errors import Interrupted, InvalidInput, Unreachable
from routing.model.modes import StreetMode
from routing.multimodal.access_egress import stops_around, walking_mode
from routing.multimodal.itinerary_filter import generalised_time_s
from routing.multimodal.model import Itinerary, JourneyMode, JourneyRequest, Point
from routing.multimodal.network import JourneyNetwork
from routing.multimodal.planner import plan_journeys
from routing.multimodal.travel_matrix import NEVER_S, street_matrix_s, transit_matrix_s
from routing.multimodal.visit_order import MANDATORY, MAX_VISITS, OrderProblem, VisitOrder, Windows, find_order
from routing.street.api import Snaps

SLOT_S = 5400
MAX_SLOTS = 8
MAX_CORRECTIONS = 4
MAX_WAIT_HERE_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class TourVisit:
    """A place to visit for `stay_s` seconds, beginning within one of `windows` (unix seconds; empty = any time)."""

    visit_id: str
    point: Point
    stay_s: int = 0
    windows: Windows = ()
    prize_s: int = MANDATORY


@dataclass(frozen=True, slots=True)
class TourRequest:
    """A tour from `start` over `visits` to `end` (None = the tour ends at the last visit).

    `preferences` carries modes, walking and transfers; its places and time are not read.
    """

    start: Point
    end: Point | None
    visits: tuple[TourVisit, ...]
    depart_s: int
    preferences: JourneyRequest
    arrive_by_s: int | None = None
    fixed_order: bool = False
    time_limit_s: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= len(self.visits) <= MAX_VISITS:
            raise InvalidInput(f"a tour has 1..{MAX_VISITS} visits, {len(self.visits)} given", field="visits")
        seen: set[str] = set()
        for k, visit in enumerate(self.visits):
            if visit.visit_id in seen:
                raise InvalidInput(f"visit_id {visit.visit_id!r} is given twice", field=f"visits[{k}].visit_id")
            seen.add(visit.visit_id)


@dataclass(frozen=True, slots=True)
class TourStop:
    """A visit made: the journey to it, when one arrives, begins and leaves (unix seconds)."""

    visit: TourVisit
    itinerary: Itinerary | None
    arrival_s: int
    begin_s: int
    leave_s: int


@dataclass(frozen=True, slots=True)
class Tour:
    """A planned tour. `way_home` is None for an open end; `left_out` are optional visits not made."""

    stops: tuple[TourStop, ...]
    way_home: Itinerary | None
    left_out: tuple[TourVisit, ...]
    departure_s: int
    arrival_s: int
    proven_optimal: bool


def plan_tour(network: JourneyNetwork, request: TourRequest, should_stop: Callable[[], bool] | None = None) -> Tour:
    """Best order and journeys of a tour.

    Raises
    ------
    Interrupted
        If `should_stop`, which is read now and then, became true.
    InvalidInput
        If no order keeps all windows, or there are too many visits.
    Unreachable
        If a journey of the best order cannot be made.
    """
    nodes = [request.start, *(v.point for v in request.visits), request.end or request.start]
    wheels = request.preferences.modes & {JourneyMode.CAR, JourneyMode.BICYCLE}
    mixed = request.preferences.modes - wheels - {JourneyMode.PARK_AND_RIDE}
    ways = [frozenset({mode}) for mode in sorted(wheels)] + ([mixed] if mixed else [])
    found: list[Tour] = []
    problem: InvalidInput | Unreachable | None = None
    for modes in ways:
        try:
            found.append(_TourPlanning(network, request, nodes, modes, should_stop).plan())
        except (InvalidInput, Unreachable) as error:
            problem = error
    if not found:
        raise problem or InvalidInput("name at least one of walk, transit, bicycle, car", field="modes")
    return min(found, key=_cost_s)


def _cost_s(tour: Tour) -> float:
    return tour.arrival_s + sum(visit.prize_s for visit in tour.left_out)


class _TourPlanning:
    """One tour with one set of modes."""

    def __init__(
        self,
        network: JourneyNetwork,
        request: TourRequest,
        nodes: list[Point],
        modes: frozenset[JourneyMode],
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self.network, self.request, self.nodes, self.should_stop = network, request, nodes, should_stop
        self.preferences = replace(request.preferences, modes=modes, arrive_by=False, window_s=0, max_itineraries=3)
        self.slots = self._slots()
        self.travel_s = np.stack([self._matrix(int(slot)) for slot in self.slots])
        if request.end is None:
            self.travel_s[:, :, -1] = 0

    def plan(self) -> Tour:
        """Solve, plan the journeys, correct, until they fit."""
        last: Tour | None = None
        for _ in range(MAX_CORRECTIONS):
            order = find_order(self._problem(), seconds=self.request.time_limit_s, should_stop=self.should_stop)
            if order is None:
                break
            tour, broken = self._travel(order)
            if not broken:
                return tour
            last = tour
        raise InvalidInput(self._why(last), field="visits")

    def _why(self, last: Tour | None) -> str:
        if last is not None:
            return "the visits' windows leave too little time for the journeys between them; widen a window or drop a visit"
        for k, visit in enumerate(self.request.visits):
            if visit.windows and all(b < self.request.depart_s for _, b in visit.windows):
                return f"visit {visit.visit_id!r} (number {k + 1}) may only begin before the tour departs"
        return "no order of the visits keeps all windows; widen a window, drop a visit or depart earlier"

    def _slots(self) -> npt.NDArray[np.int64]:
        ends = [b for v in self.request.visits for _, b in v.windows]
        stays = sum(v.stay_s for v in self.request.visits)
        horizon_s = max([stays + 1800 * (len(self.nodes) - 1), *(end - self.request.depart_s for end in ends), SLOT_S])
        count = min(MAX_SLOTS, -(-horizon_s // SLOT_S))
        step_s = max(SLOT_S, -(-horizon_s // count))
        return self.request.depart_s + np.arange(count, dtype=np.int64) * step_s

    def _problem(self) -> OrderProblem:
        request = self.request
        latest = request.arrive_by_s if request.arrive_by_s is not None else int(self.slots[-1]) + MAX_WAIT_HERE_S
        anytime: Windows = ((request.depart_s, int(self.slots[-1]) + MAX_WAIT_HERE_S),)
        windows = (anytime, *(v.windows or anytime for v in request.visits), ((request.depart_s, latest),))
        stay_s = np.array([0, *(v.stay_s for v in request.visits), 0], np.int32)
        prize_s = np.array([MANDATORY, *(v.prize_s for v in request.visits), MANDATORY], np.int32)
        return OrderProblem(self.slots, self.travel_s, stay_s, windows, request.depart_s, prize_s, request.fixed_order)

    def _matrix(self, slot_s: int) -> npt.NDArray[np.int32]:
        """Times between all nodes when leaving in the middle of a slot; a node to itself is 0."""
        if self.should_stop is not None and self.should_stop():
            raise Interrupted("the planning of the tour was stopped")
        modes, n = self.preferences.modes, len(self.nodes)
        best = np.full((n, n), NEVER_S, np.int32)
        if JourneyMode.CAR in modes:
            best = np.minimum(best, self._on_street(StreetMode.CAR, slot_s))
        if JourneyMode.BICYCLE in modes:
            best = np.minimum(best, self._on_street(StreetMode.BICYCLE, slot_s))
        if JourneyMode.WALK in modes or JourneyMode.TRANSIT in modes:
            walks = self._on_street(walking_mode(self.preferences), slot_s)
            best = np.minimum(best, np.where(walks <= 3600, walks, NEVER_S) if JourneyMode.WALK in modes else best)
        if JourneyMode.TRANSIT in modes:
            best = np.minimum(best, self._by_transit(slot_s))
        np.fill_diagonal(best, 0)
        return best

    def _on_street(self, mode: StreetMode, slot_s: int) -> npt.NDArray[np.int32]:
        snaps = self._snaps(mode)
        metric = self.network.car_metric(slot_s) if mode is StreetMode.CAR else self.network.metrics[mode]
        return street_matrix_s(self.network, metric, snaps, snaps, self.preferences.speed_factor(mode))

    def _by_transit(self, slot_s: int) -> npt.NDArray[np.int32]:
        snaps = self._snaps(walking_mode(self.preferences))
        ask = replace(self.preferences, time_s=slot_s)
        around = range(len(self.nodes))
        access = [stops_around(self.network, ask, snaps.take(k), egress=False) for k in around]
        egress = [stops_around(self.network, ask, snaps.take(k), egress=True) for k in around]
        return transit_matrix_s(self.network, ask, access, egress)

    def _snaps(self, mode: StreetMode) -> Snaps:
        last = len(self.nodes) - 1
        for k, point in enumerate(self.nodes):
            field = "start" if k == 0 else "end" if k == last else f"visits[{k - 1}].location"
            self.network.snap(point, mode, field)
        return self.network.street.snap([p.lat_deg for p in self.nodes], [p.lon_deg for p in self.nodes], mode)

    def _travel(self, order: VisitOrder) -> tuple[Tour, bool]:
        """Plan every journey of an order at its real time; `broken` if a window is missed (the matrix is then corrected)."""
        now, broken, stops = self.request.depart_s, False, []
        home: Itinerary | None = None
        for tail, head in zip(order.nodes, order.nodes[1:], strict=False):
            if head == len(self.nodes) - 1 and self.request.end is None:
                break
            itinerary = self._journey(tail, head, now)
            arrival_s = itinerary.arrival_s if itinerary is not None else now
            if head == len(self.nodes) - 1:
                home = itinerary
                broken |= self.request.arrive_by_s is not None and arrival_s > self.request.arrive_by_s
                self._correct(tail, head, now, arrival_s)
                continue
            visit = self.request.visits[head - 1]
            begin_s = min((max(a, arrival_s) for a, b in visit.windows if b >= arrival_s), default=arrival_s)
            broken |= bool(visit.windows) and not any(a <= begin_s <= b for a, b in visit.windows)
            self._correct(tail, head, now, arrival_s)
            now = begin_s + visit.stay_s
            stops.append(TourStop(visit, itinerary, arrival_s, begin_s, now))
        made = {stop.visit.visit_id for stop in stops}
        left_out = tuple(v for v in self.request.visits if v.visit_id not in made)
        departure_s = stops[0].itinerary.departure_s if stops and stops[0].itinerary else self.request.depart_s
        arrival_s = home.arrival_s if home is not None else now
        return Tour(tuple(stops), home, left_out, departure_s, arrival_s, order.optimal), broken

    def _journey(self, tail: int, head: int, time_s: int) -> Itinerary | None:
        origin, destination = self.nodes[tail], self.nodes[head]
        if (origin.lat_deg, origin.lon_deg) == (destination.lat_deg, destination.lon_deg):
            return None
        found = plan_journeys(self.network, replace(self.preferences, origin=origin, destination=destination, time_s=time_s))
        if not found:
            raise Unreachable(
                f"there is no journey from {origin.name or 'the place before'} to {destination.name or 'the next visit'} "
                "at the time the tour needs it; allow more modes or longer walks"
            )
        earliest = min(i.arrival_s for i in found)
        return min((i for i in found if i.arrival_s <= earliest + 120), key=generalised_time_s)

    def _correct(self, tail: int, head: int, left_s: int, arrival_s: int) -> None:
        slot = max(0, int(np.searchsorted(self.slots, left_s, side="right")) - 1)
        self.travel_s[slot, tail, head] = max(int(self.travel_s[slot, tail, head]), arrival_s - left_s)
