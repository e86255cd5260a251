"""PlanJourneys: what the zones of the city mean for the drives of an answer."""

from collections.abc import Sequence

from traboule.journeys.v1 import itinerary_pb2 as pb

from routing.errors import OutsideArea
from routing.model.modes import StreetMode
from routing.multimodal.model import JourneyMode, JourneyRequest
from routing.multimodal.network import JourneyNetwork
from routing.multimodal.street_legs import find_path
from services.journeys.view import JourneyView
from services.journeys.zones import VehicleZones, note

DRIVES = {JourneyMode.CAR, JourneyMode.PARK_AND_RIDE}


def note_drives(
    view: JourneyView,
    network: JourneyNetwork,
    asked: JourneyRequest,
    zones: VehicleZones,
    itineraries: Sequence[pb.Itinerary],
    *,
    live: bool,
) -> list[str]:
    """Remark zones on the drives from door to door; return in words why others cannot be made by car."""
    if not (asked.modes & DRIVES and (zones.closed or zones.unknown)):
        return []
    try:
        start = network.snap(asked.origin, StreetMode.CAR, "origin")
        end = network.snap(asked.destination, StreetMode.CAR, "destination")
    except OutsideArea:
        return []
    drives = [one for one in itineraries if [leg.mode for leg in one.legs] == [pb.MODE_CAR]]
    if drives:
        path = find_path(network, network.car_metric(asked.time_s), start, end)
        without = view.metric(StreetMode.CAR, asked.time_s, live=live, emission=None)
        free = find_path(network, without, start, end) if zones.closed else None
        if path is not None:
            for one in drives:
                note(one, zones.remarks(path.arcs, None if free is None else free.arcs))
        return []
    wanted = [("origin", start)] + ([("destination", end)] if JourneyMode.CAR in asked.modes else [])
    return [f"by car: {words}" for words in (zones.closed_place(snap, field) for field, snap in wanted) if words]
