"""The same journey under other real time: its trips, walks and car park stay, its times move.

Planning again would not do: a journey that another one now beats is left out of an answer, yet still works.
"""

from traboule.journeys.v1 import itinerary_pb2 as pb

from routing.model.timetable import index_of
from routing.transit.api import TransitEngine, TripOnDay
from routing.transit.realtime import CALL_SKIPPED


def retimed(itinerary: pb.Itinerary, transit: TransitEngine, now_s: int) -> pb.Itinerary | None:
    """The itinerary with the times now expected; None if it no longer works.

    It breaks when a trip is cancelled, no longer calls where one gets on or off, or leaves before one can be there.
    """
    moved = pb.Itinerary()
    moved.CopyFrom(itinerary)
    if not all(_retime_ride(leg, transit) for leg in moved.legs if leg.HasField("transit")):
        return None
    if not _leave_in_time(moved, now_s):
        return None
    ready_s: int | None = None
    for leg in moved.legs:
        if leg.HasField("transit"):
            if ready_s is not None and starts_s(leg) < ready_s:
                return None
        elif ready_s is not None:
            leg.departure.scheduled_unix_s, leg.arrival.scheduled_unix_s = ready_s, ready_s + leg.duration_s
        ready_s = ends_s(leg)
    moved.departure_unix_s, moved.arrival_unix_s = starts_s(moved.legs[0]), ends_s(moved.legs[-1])
    moved.duration_s = moved.arrival_unix_s - moved.departure_unix_s
    moved.wait_duration_s = moved.duration_s - sum(leg.duration_s for leg in moved.legs)
    moved.realtime = any(leg.realtime for leg in moved.legs)
    return moved


def starts_s(leg: pb.Leg) -> int:
    """Expected departure of a leg, unix seconds."""
    return leg.departure.realtime_unix_s if leg.departure.HasField("realtime_unix_s") else leg.departure.scheduled_unix_s


def ends_s(leg: pb.Leg) -> int:
    """Expected arrival of a leg, unix seconds."""
    return leg.arrival.realtime_unix_s if leg.arrival.HasField("realtime_unix_s") else leg.arrival.scheduled_unix_s


def _retime_ride(leg: pb.Leg, transit: TransitEngine) -> bool:
    trip = _trip(leg, transit)
    if trip is None or trip.is_cancelled:
        return False
    first, last = _positions(leg, trip)
    if first is None or last is None or first >= last:
        return False
    if (trip.call_states[first] | trip.call_states[last]) & CALL_SKIPPED:
        return False
    for event, stamp in ((leg.departure, trip.departure_s[first]), (leg.arrival, trip.arrival_s[last])):
        event.ClearField("realtime_unix_s")
        if trip.has_realtime:
            event.realtime_unix_s = int(stamp)
    leg.realtime, leg.duration_s = trip.has_realtime, ends_s(leg) - starts_s(leg)
    leg.transit.ClearField("delay_s")
    if trip.has_realtime:
        leg.transit.delay_s = starts_s(leg) - leg.departure.scheduled_unix_s
    positions = range(first, last + 1)
    if len(positions) == len(leg.transit.calls):
        for call, at in zip(leg.transit.calls, positions, strict=True):
            call.arrival.ClearField("realtime_unix_s")
            call.departure.ClearField("realtime_unix_s")
            if trip.has_realtime:
                call.arrival.realtime_unix_s = int(trip.arrival_s[at])
                call.departure.realtime_unix_s = int(trip.departure_s[at])
    return True


def _trip(leg: pb.Leg, transit: TransitEngine) -> TripOnDay | None:
    """The leg's trip on its day, with what is known of it now."""
    timetable, overlay = transit.timetable, transit.overlay
    days = [d for d in range(timetable.day_count) if f"{timetable.date_of_day(d):%Y%m%d}" == leg.transit.service_date]
    for trip in index_of(timetable).trips.get(leg.transit.trip_id, ()):
        for day in days:
            change = overlay.find_change(trip, day) if overlay is not None else None
            found = TripOnDay(timetable, trip, day, overlay, -1 if change is None else change)
            if _positions(leg, found)[0] is not None:
                return found
    if overlay is not None and leg.transit.trip_id in overlay.change_trip_ids:
        change = overlay.change_trip_ids.index(leg.transit.trip_id)
        if overlay.change_trip[change] < 0:
            return TripOnDay(timetable, -1, int(overlay.change_day[change]), overlay, change)
    return None


def _positions(leg: pb.Leg, trip: TripOnDay) -> tuple[int | None, int | None]:
    """Calls of the trip where one gets on and off: same stop, and same scheduled time where the trip is scheduled."""
    ids = trip.timetable.stop_ids
    on, off = leg.transit.calls[0], leg.transit.calls[-1]
    first = last = None
    for position, stop in enumerate(trip.stops.tolist()):
        exact = trip.trip < 0 or int(trip.scheduled_departure_s[position]) == on.departure.scheduled_unix_s
        if first is None and ids[stop] == on.stop.stop_id and exact:
            first = position
        exact = trip.trip < 0 or int(trip.scheduled_arrival_s[position]) == off.arrival.scheduled_unix_s
        if first is not None and ids[stop] == off.stop.stop_id and exact:
            last = position
    return first, last


def _leave_in_time(moved: pb.Itinerary, now_s: int) -> bool:
    """Move what comes before the first ride with it; whether one can still leave (or left) early enough."""
    rides = [k for k, leg in enumerate(moved.legs) if leg.HasField("transit")]
    if not rides or not rides[0]:
        return True
    spare_s = starts_s(moved.legs[rides[0]]) - ends_s(moved.legs[rides[0] - 1])
    leaves_s = starts_s(moved.legs[0])
    if leaves_s <= now_s or leaves_s + spare_s < now_s:
        return spare_s >= 0
    for leg in moved.legs[: rides[0]]:
        leg.departure.scheduled_unix_s += spare_s
        leg.arrival.scheduled_unix_s += spare_s
    return True
