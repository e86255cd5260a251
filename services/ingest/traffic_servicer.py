"""`TrafficService`: link states, predicted speeds, incidents."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import numpy.typing as npt
from traboule.traffic.v1 import traffic_service_pb2 as pb
from traboule.traffic.v1 import traffic_service_pb2_grpc

from routing.forecast.traffic import TrafficForecast
from routing.model.modes import StreetMode
from routing.street.api import StreetEngine
from services.common.deadline import run_in_thread
from services.common.errors import InvalidInput, NotFound
from services.common.identity import current_principal
from services.common.live.link_ids import LinkIds
from services.common.live.links import Place, match_places
from services.common.live.state import LiveState, Topic
from services.common.live.traffic import LiveTraffic, empty_traffic
from services.ingest.incidents import FEED, Incidents
from services.ingest.stamps import Stamper
from services.ingest.traffic_mapping import from_incident, to_incident, to_link, to_speed

DEFAULT_PAGE = 10_000
MAX_FORECAST_VALUES = 500_000

Arcs = npt.NDArray[np.int32]


class TrafficServicer(traffic_service_pb2_grpc.TrafficServiceServicer):
    """Servicer of `traboule.traffic.v1.TrafficService`."""

    def __init__(
        self, street: StreetEngine, live: LiveState, forecast: TrafficForecast, incidents: Incidents, stamper: Stamper
    ) -> None:
        self._street, self._live, self._forecast = street, live, forecast
        self._incidents, self._stamper = incidents, stamper
        self._ids = LinkIds(street.graph)

    async def GetLinkStates(self, request: pb.GetLinkStatesRequest, context: Any) -> pb.GetLinkStatesResponse:  # noqa: ARG002, N802, D102
        traffic = self._traffic()
        arcs = self._select(request.links, traffic)
        first = self._offset(request.page_token)
        size = request.page_size or DEFAULT_PAGE
        page = arcs[first : first + size]
        links = await run_in_thread(self._states, page, traffic, request.with_polylines)
        token = str(first + size) if first + size < len(arcs) else ""
        return pb.GetLinkStatesResponse(links=links, next_page_token=token, stamp=self._stamper.stamp())

    async def WatchLinkStates(  # noqa: N802, D102
        self,
        request: pb.WatchLinkStatesRequest,
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[pb.WatchLinkStatesResponse]:
        traffic = self._traffic()
        arcs = self._select(request.links, traffic)
        links = await run_in_thread(self._states, arcs, traffic, request.with_polylines)
        yield pb.WatchLinkStatesResponse(links=links, stamp=self._stamper.stamp())
        while True:
            await asyncio.sleep(request.min_interval_s or 1.0)
            await self._live.wait_for(Topic.TRAFFIC, traffic.epoch)
            before, traffic = traffic, self._traffic()
            wanted = np.union1d(arcs, self._select(request.links, traffic)).astype(np.int32)
            changed = wanted[_differs(before, traffic)[wanted]]
            if len(changed):
                links = await run_in_thread(self._states, changed, traffic, False)
                yield pb.WatchLinkStatesResponse(links=links, stamp=self._stamper.stamp())

    async def PredictLinkSpeeds(self, request: pb.PredictLinkSpeedsRequest, context: Any) -> pb.PredictLinkSpeedsResponse:  # noqa: ARG002, N802, D102
        traffic = self._traffic()
        arcs = self._select(request.links, traffic)
        if len(arcs) * len(request.at_unix_s) > MAX_FORECAST_VALUES:
            raise InvalidInput(
                f"{len(arcs)} links × {len(request.at_unix_s)} times is more than {MAX_FORECAST_VALUES}: ask for less at once",
                field="links",
            )
        links = await run_in_thread(self._forecasts, arcs, traffic, list(request.at_unix_s))
        return pb.PredictLinkSpeedsResponse(links=links, stamp=self._stamper.stamp())

    async def ReportIncident(self, request: pb.ReportIncidentRequest, context: Any) -> pb.ReportIncidentResponse:  # noqa: ARG002, N802, D102
        wanted = from_incident(request.incident)
        arcs = match_places(self._street, [Place(wanted["path"], both_directions=wanted["both_directions"])])[0]
        if not len(arcs):
            raise InvalidInput("no street for cars lies within 60 m of the path", field="incident.path")
        wanted["arc_keys"] = self._ids.list_keys(arcs)
        event = await self._incidents.report(wanted, request.idempotency_key, current_principal().tenant)
        incident = to_incident(event, self._ids.list_ids(arcs), "")
        return pb.ReportIncidentResponse(incident=incident, stamp=self._stamper.stamp())

    async def ResolveIncident(self, request: pb.ResolveIncidentRequest, context: Any) -> pb.ResolveIncidentResponse:  # noqa: ARG002, N802, D102
        event = await self._incidents.resolve(request.incident_id)
        return pb.ResolveIncidentResponse(incident=to_incident(event, (), ""))

    async def ListIncidents(self, request: pb.ListIncidentsRequest, context: Any) -> pb.ListIncidentsResponse:  # noqa: ARG002, N802, D102
        traffic = self._traffic()
        events = list(traffic.events)
        if request.include_resolved:
            events += [event for event in self._incidents.events.values() if event.cancelled]
        area = request.area if request.HasField("area") else None
        found = [
            to_incident(
                event, self._ids.list_ids(traffic.event_arcs.get(f"{event.feed}|{event.entity}", ())),
                "" if event.feed == FEED else event.feed,
            )
            for event in sorted(events, key=lambda event: (event.starts_at or 0, event.entity))
            if area is None
            or any(
                area.south_deg <= lat <= area.north_deg and area.west_deg <= lon <= area.east_deg for lat, lon in event.path
            )
        ]  # fmt: skip
        return pb.ListIncidentsResponse(incidents=found, stamp=self._stamper.stamp())

    def _traffic(self) -> LiveTraffic:
        return self._live.traffic or empty_traffic(self._street.graph.arc_count)

    def _select(self, links: pb.LinkSelection, traffic: LiveTraffic) -> Arcs:
        """Arcs that are meant, ascending."""
        graph = self._street.graph
        known = np.isfinite(traffic.arc_speed_kmh) | np.isfinite(traffic.arc_flow_vph)
        known[traffic.closed_arcs] = True
        choice = links.WhichOneof("selection")
        if choice == "ids":
            arcs = self._ids.find_arcs(links.ids.link_ids)
            if (arcs < 0).any():
                missing = links.ids.link_ids[int(np.argmin(arcs))]
                raise NotFound(f"there is no link {missing!r}", field="links.ids.link_ids")
            return np.unique(arcs[known[arcs]] if links.observed_only else arcs).astype(np.int32)
        if choice is None:
            return np.flatnonzero(known).astype(np.int32)
        box = links.area
        lat, lon = graph.node_lat_e7 * 1e-7, graph.node_lon_e7 * 1e-7
        inside = (lat >= box.south_deg) & (lat <= box.north_deg) & (lon >= box.west_deg) & (lon <= box.east_deg)
        wanted = (inside[graph.arc_tail] | inside[graph.arc_head]) & ((graph.arc_access & StreetMode.CAR.bit) > 0)
        return np.flatnonzero(wanted & known if links.observed_only else wanted).astype(np.int32)

    def _states(self, arcs: Arcs, traffic: LiveTraffic, with_polylines: bool) -> list[pb.LinkState]:
        expected = self._forecast.arc_speed_kmh(self._stamper.clock.now())
        closed = set(traffic.closed_arcs.tolist())
        return [
            to_link(self._street.graph, self._ids, traffic, closed, arc, float(expected[arc]), with_polylines)
            for arc in arcs.tolist()
        ]

    def _forecasts(self, arcs: Arcs, traffic: LiveTraffic, times: list[int]) -> list[pb.LinkForecast]:
        rows = [self._forecast.arc_speed_kmh(at, traffic.arc_speed_kmh, traffic.arc_observed_s) for at in times]
        free = self._street.graph.arc_speed_kmh
        return [
            pb.LinkForecast(
                link_id=self._ids.id_of(arc),
                speeds=[
                    to_speed(at, float(row[arc]), int(traffic.arc_observed_s[arc]), float(free[arc]))
                    for at, row in zip(times, rows, strict=True)
                ],
            )
            for arc in arcs.tolist()
        ]

    @staticmethod
    def _offset(token: str) -> int:
        if not token:
            return 0
        if not token.isascii() or not token.isdigit():
            raise InvalidInput("page_token is not one that was given", field="page_token")
        return int(token)


def _differs(before: LiveTraffic, after: LiveTraffic) -> npt.NDArray[np.bool_]:
    """Arcs whose state differs between two epochs."""
    same = np.equal(before.arc_speed_kmh, after.arc_speed_kmh) | (
        np.isnan(before.arc_speed_kmh) & np.isnan(after.arc_speed_kmh)
    )
    differs = ~same
    differs[np.setxor1d(before.closed_arcs, after.closed_arcs)] = True
    return differs
