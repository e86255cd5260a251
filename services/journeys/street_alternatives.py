"""PlanJourneys with alternatives: several ways by one street mode."""

from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import plan_pb2, route_pb2

from routing.errors import Unreachable
from routing.multimodal.model import JourneyRequest
from services.common.errors import InvalidInput, Unimplemented
from services.journeys.request_mapping import preferences
from services.journeys.routes import plan_route
from services.journeys.view import JourneyView

ONE_STREET_MODE = ([pb.MODE_WALK], [pb.MODE_BICYCLE], [pb.MODE_CAR])


def street_alternatives(
    view: JourneyView, request: plan_pb2.PlanJourneysRequest, now_s: int
) -> tuple[list[pb.Itinerary], list[str]]:
    """Best way and others by the one mode asked for; none, and why in words, if there is none.

    Raises
    ------
    Unimplemented
        For other modes than one of WALK, BICYCLE and CAR.
    InvalidInput
        With criteria: alternatives come in their own order.
    """
    if list(request.modes) not in ONE_STREET_MODE:
        raise Unimplemented(
            "max_alternatives: other ways are known for one of WALK, BICYCLE and CAR alone; for public transport ask for more "
            "itineraries (max_itineraries, window_s)",
            field="max_alternatives",
        )
    if request.criteria:
        raise InvalidInput("criteria: alternatives come with the quickest first; leave criteria out", field="criteria")
    question = route_pb2.PlanRouteRequest(
        origin=request.origin,
        destination=request.destination,
        mode=request.modes[0],
        depart_at_unix_s=0 if request.arrive_by_unix_s else request.depart_at_unix_s or now_s,
        arrive_by_unix_s=request.arrive_by_unix_s,
        preferences=request.preferences,
        ignore_realtime=request.ignore_realtime,
        max_alternatives=request.max_alternatives,
    )
    try:
        found = list(plan_route(view, question, now_s).routes)
    except Unreachable as error:
        return [], [str(error)]
    if request.modes[0] == pb.MODE_WALK:
        origin = view.places.resolve(request.origin, "origin")
        limit_s = preferences(JourneyRequest(origin, origin, now_s), request.preferences, ()).max_way_s
        found = [itinerary for itinerary in found if itinerary.duration_s <= limit_s]
    for leg in (leg for itinerary in found for leg in itinerary.legs):
        leg.ClearField("instructions")
        if request.omit_geometry:
            leg.ClearField("polyline")
            leg.ClearField("steps")
    return found, []
