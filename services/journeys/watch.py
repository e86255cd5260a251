"""WatchJourney: plan once, then tell when reality changes what was promised."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import plan_pb2

from services.common.deadline import run_in_thread
from services.common.errors import NotFound
from services.journeys.keeper import ViewKeeper
from services.journeys.retime import retimed
from services.journeys.view import JourneyView

if TYPE_CHECKING:
    from services.journeys.servicer import JourneysServicer

DEFAULT_MIN_CHANGE_S = 30
BETTER_BY_S = 300
LOOK_AT_CLOCK_EVERY_S = 2.0

Event = plan_pb2.WatchJourneyResponse


async def watch_journey(
    servicer: "JourneysServicer", keeper: ViewKeeper, request: plan_pb2.WatchJourneyRequest
) -> AsyncIterator[plan_pb2.WatchJourneyResponse]:
    """Messages about one journey: the first at once, then on each change that matters, until it should have ended."""
    least_s = request.min_change_s or DEFAULT_MIN_CHANGE_S
    question = plan_pb2.PlanJourneysRequest()
    question.CopyFrom(request.plan)
    if question.WhichOneof("time") is None:
        question.depart_at_unix_s = servicer.now()
    if request.HasField("position"):
        question.origin.CopyFrom(request.position)
    view = keeper.view
    answer = await run_in_thread(servicer.plan, view, question)
    watched = _chosen(answer, request.itinerary_id)
    yield _message(servicer, view, Event.EVENT_STARTED, watched, list(answer.itineraries), "Watching this journey.")
    while servicer.now() < watched.arrival_unix_s:
        seen, view = view, await _next_view(keeper, view)
        if view is seen:
            continue
        answer = await run_in_thread(servicer.plan, view, question)
        # A journey that another now beats is left out of an answer, yet still works.
        planned = {i.itinerary_id: i for i in answer.itineraries}.get(watched.itinerary_id)
        now = planned or retimed(watched, view.network.transit, servicer.now())
        others = [i for i in answer.itineraries if i.itinerary_id != watched.itinerary_id]
        event, sentence = judge(watched, now, others, least_s)
        if event != Event.EVENT_UNSPECIFIED:
            watched = now or watched
            yield _message(servicer, view, event, watched, others, sentence)
        if event == Event.EVENT_BROKEN:
            return
    yield _message(servicer, view, Event.EVENT_FINISHED, watched, [], "The journey is over.")


def judge(
    before: pb.Itinerary, now: pb.Itinerary | None, others: list[pb.Itinerary], least_s: int
) -> tuple["plan_pb2.WatchJourneyResponse.Event.ValueType", str]:
    """What a new plan means for a watched journey; EVENT_UNSPECIFIED = nothing worth a message."""
    if now is None:
        return Event.EVENT_BROKEN, "The journey no longer works as planned; take one of the alternatives."
    best = min((i.arrival_unix_s for i in others if i.departure_unix_s >= now.departure_unix_s), default=None)
    if best is not None and best + BETTER_BY_S <= now.arrival_unix_s:
        minutes = (now.arrival_unix_s - best) // 60
        return Event.EVENT_BETTER_FOUND, f"Another journey now arrives {minutes} min earlier."
    change_s = now.arrival_unix_s - before.arrival_unix_s
    if abs(change_s) >= least_s or abs(now.departure_unix_s - before.departure_unix_s) >= least_s:
        word = "later" if change_s >= 0 else "earlier"
        return Event.EVENT_TIMES_CHANGED, f"Arrival is now {abs(change_s) // 60} min {abs(change_s) % 60} s {word}."
    if alert_ids(now) != alert_ids(before):
        return Event.EVENT_ALERTS_CHANGED, "The service alerts of this journey changed."
    return Event.EVENT_UNSPECIFIED, ""


def alert_ids(itinerary: pb.Itinerary) -> set[str]:
    """Alerts of all rides."""
    return {alert.alert_id for leg in itinerary.legs for alert in leg.alerts}


def _chosen(answer: plan_pb2.PlanJourneysResponse, itinerary_id: str) -> pb.Itinerary:
    for itinerary in answer.itineraries:
        if itinerary_id in ("", itinerary.itinerary_id):
            return itinerary
    if not answer.itineraries:
        raise NotFound("there is no journey to watch between these places at that time", field="plan")
    raise NotFound(f"itinerary {itinerary_id!r} is not among the journeys possible now", field="itinerary_id")


async def _next_view(keeper: ViewKeeper, seen: JourneyView) -> JourneyView:
    """The next view, or the one seen when nothing changed for a while."""
    async with keeper.changed:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(keeper.changed.wait_for(lambda: keeper.view is not seen), LOOK_AT_CLOCK_EVERY_S)
    return keeper.view


def _message(
    servicer: "JourneysServicer",
    view: JourneyView,
    event: "plan_pb2.WatchJourneyResponse.Event.ValueType",
    itinerary: pb.Itinerary,
    others: list[pb.Itinerary],
    sentence: str,
) -> plan_pb2.WatchJourneyResponse:
    rest = [i for i in others if i.itinerary_id != itinerary.itinerary_id]
    return Event(event=event, itinerary=itinerary, alternatives=rest, explanation=sentence, stamp=servicer.stamp(view))
