"""JourneysService: read the request, map, call the engine, map back."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
from traboule.common.v1 import stamp_pb2
from traboule.journeys.v1 import (
    departures_pb2,
    journeys_service_pb2_grpc,
    matrix_pb2,
    places_pb2,
    plan_pb2,
    route_pb2,
    tour_pb2,
)

from routing.model.modes import StreetMode
from routing.multimodal.network import JourneyNetwork
from routing.multimodal.planner import plan_journeys
from routing.multimodal.tour import TourRequest, plan_tour
from services.common.clock import CityClock
from services.common.deadline import current_deadline, run_in_thread
from services.common.identity import current_principal
from services.journeys import departures, isochrones, matrices, request_mapping, routes, tour_mapping
from services.journeys.alerts_mapping import alerts_of_ride
from services.journeys.budget import MatrixBudget
from services.journeys.itinerary_mapping import AlertsOf, by_criteria, itinerary_to_proto, mark_best
from services.journeys.keeper import ViewKeeper
from services.journeys.street_alternatives import street_alternatives
from services.journeys.timetable_notes import note_timetables
from services.journeys.view import JourneyView
from services.journeys.watch import watch_journey
from services.journeys.zone_notes import note_drives
from services.journeys.zones import VehicleZones

Context = grpc.aio.ServicerContext[Any, Any]
MOST_TO_ORDER = 20
NOTHING_FOUND = "No journey was found; allow longer walks, more modes or another time."


class JourneysServicer(journeys_service_pb2_grpc.JourneysServiceServicer):
    """Journeys of one city.

    Parameters
    ----------
    keeper : ViewKeeper
        Gives each request one view.
    clock : CityClock
    budget : MatrixBudget, optional
        What tenants may ask for in matrices.
    """

    def __init__(self, keeper: ViewKeeper, clock: CityClock, budget: MatrixBudget | None = None) -> None:
        self._keeper, self._clock = keeper, clock
        self._budget = budget or MatrixBudget()

    async def PlanJourneys(  # noqa: N802
        self,
        request: plan_pb2.PlanJourneysRequest,
        context: Context,  # noqa: ARG002
    ) -> plan_pb2.PlanJourneysResponse:
        """Journeys from one place to another."""
        return await run_in_thread(self.plan, self._keeper.view, request)

    def plan(self, view: JourneyView, request: plan_pb2.PlanJourneysRequest) -> plan_pb2.PlanJourneysResponse:
        """Answer PlanJourneys from one view."""
        if request.max_alternatives:
            ways, why = street_alternatives(view, request, self.now())
            notices = [] if ways else [NOTHING_FOUND, *why]
            return plan_pb2.PlanJourneysResponse(itineraries=ways, notices=notices, stamp=self.stamp(view))
        asked = request_mapping.journey_request(request, view.places.resolve, self.now())
        wanted, criteria = asked.max_itineraries, request_mapping.criteria(request)
        if criteria:  # the best by other criteria may be far down by time
            asked = replace(asked, max_itineraries=MOST_TO_ORDER)
        live = not request.ignore_realtime
        zones = VehicleZones.of(view, StreetMode.CAR, asked.time_s, request.preferences, live=live)
        network = view.network_at(asked.time_s, zones.emission, live=live)
        with request_mapping.time_given_as(request.WhichOneof("time") or "depart_at_unix_s"):
            found = plan_journeys(network, asked, request_mapping.min_free_probability(request.preferences))
        if criteria:
            found = by_criteria(found, criteria, arrive_by=asked.arrive_by)[:wanted]
        messages = [itinerary_to_proto(i, self.alerts_of(view), geometry=not request.omit_geometry) for i in found]
        mark_best(messages, found, criteria)
        notices = [] if messages else [NOTHING_FOUND]
        notices += note_timetables(network.transit.timetable, asked)
        notices += note_drives(view, network, asked, zones, messages, live=live)
        return plan_pb2.PlanJourneysResponse(itineraries=messages, notices=notices, stamp=self.stamp(view))

    @staticmethod
    def _network_of_tour(view: JourneyView, request: tour_pb2.PlanTourRequest, asked: TourRequest) -> JourneyNetwork:
        zones = VehicleZones.of(view, StreetMode.CAR, asked.depart_s, request.preferences, live=True)
        return view.network_at(asked.depart_s, zones.emission, live=True)

    def alerts_of(self, view: JourneyView) -> AlertsOf:
        """Alerts of rides in the city's languages."""
        languages = view.snapshot.city.languages
        return lambda ride, from_s, to_s: alerts_of_ride(view.alerts, ride, from_s, to_s, languages)

    def stamp(self, view: JourneyView) -> stamp_pb2.AnswerStamp:
        """Stamp of an answer made now from `view`."""
        return view.stamp(self.now())

    def now(self) -> int:
        """City time, unix seconds."""
        return int(self._clock.now())

    async def WatchJourney(  # noqa: N802
        self,
        request: plan_pb2.WatchJourneyRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[plan_pb2.WatchJourneyResponse]:
        """Plan, then tell whenever reality changes what was promised."""
        async for message in watch_journey(self, self._keeper, request):
            yield message

    async def PlanTour(self, request: tour_pb2.PlanTourRequest, context: Context) -> tour_pb2.PlanTourResponse:  # noqa: N802, ARG002
        """Several visits in the best order."""
        view = self._keeper.view
        asked = request_mapping.tour_request(request, view.places.resolve, self.now())
        with request_mapping.time_given_as("depart_at_unix_s"):
            network = await run_in_thread(self._network_of_tour, view, request, asked)
            tour = await run_in_thread(plan_tour, network, asked, current_deadline().should_stop)
        response = tour_mapping.tour_to_proto(tour, asked, self.alerts_of(view))
        response.stamp.CopyFrom(self.stamp(view))
        return response

    async def PlanRoute(self, request: route_pb2.PlanRouteRequest, context: Context) -> route_pb2.PlanRouteResponse:  # noqa: N802, ARG002
        """One way on the street network."""
        view = self._keeper.view
        response = await run_in_thread(routes.plan_route, view, request, self.now())
        response.stamp.CopyFrom(self.stamp(view))
        return response

    async def GetMatrix(self, request: matrix_pb2.GetMatrixRequest, context: Context) -> matrix_pb2.GetMatrixResponse:  # noqa: N802, ARG002
        """Travel times from each origin to each destination."""
        view = self._keeper.view
        with (
            self._budget.spending(current_principal().tenant, matrices.pair_count(request)) as spending,
            request_mapping.time_given_as("depart_at_unix_s"),
        ):
            response = await run_in_thread(matrices.get_matrix, view, request, self.now(), spending.done)
        response.stamp.CopyFrom(self.stamp(view))
        return response

    async def StreamMatrix(  # noqa: N802
        self,
        request: matrix_pb2.StreamMatrixRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[matrix_pb2.StreamMatrixResponse]:
        """Travel times some rows at a time, all from one view; ends between two messages when nobody waits for more."""
        view, now_s = self._keeper.view, self.now()
        stamp = view.stamp(now_s)
        with self._budget.spending(current_principal().tenant, matrices.pair_count(request)) as spending:
            messages = matrices.stream_matrix(view, request, now_s)
            while True:
                with request_mapping.time_given_as("depart_at_unix_s"):
                    message = await run_in_thread(next, messages, None)
                if message is None:
                    return
                spending.done(message.row_count * message.destination_count)
                message.stamp.CopyFrom(stamp)
                yield message

    async def GetIsochrone(  # noqa: N802
        self,
        request: matrix_pb2.GetIsochroneRequest,
        context: Context,  # noqa: ARG002
    ) -> matrix_pb2.GetIsochroneResponse:
        """Areas reached within given times."""
        view = self._keeper.view
        with request_mapping.time_given_as("depart_at_unix_s"):
            response = await run_in_thread(isochrones.get_isochrone, view, request, self.now())
        response.stamp.CopyFrom(self.stamp(view))
        return response

    async def ListDepartures(  # noqa: N802
        self,
        request: departures_pb2.ListDeparturesRequest,
        context: Context,  # noqa: ARG002
    ) -> departures_pb2.ListDeparturesResponse:
        """Next departures at a stop."""
        view = self._keeper.view
        languages = view.snapshot.city.languages
        with request_mapping.time_given_as("from_unix_s"):
            response = await run_in_thread(departures.list_departures, view, request, self.now(), languages)
        response.stamp.CopyFrom(self.stamp(view))
        return response

    async def SearchPlaces(  # noqa: N802
        self,
        request: places_pb2.SearchPlacesRequest,
        context: Context,  # noqa: ARG002
    ) -> places_pb2.SearchPlacesResponse:
        """Places by name."""
        view = self._keeper.view
        found = await run_in_thread(view.places.search, request)
        return places_pb2.SearchPlacesResponse(places=found, stamp=self.stamp(view))
