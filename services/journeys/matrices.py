"""GetMatrix and StreamMatrix: travel times between many places."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import matrix_pb2

import routing.errors
from routing.model.modes import StreetMode
from routing.multimodal.access_egress import StopReach, stops_around, walking_mode
from routing.multimodal.model import JourneyRequest, Point
from routing.multimodal.network import JourneyNetwork
from routing.multimodal.travel_matrix import (
    NEVER_S,
    street_blocks_s,
    street_blocks_with_lengths,
    street_matrix_s,
    transit_matrix_s,
)
from routing.street.access_rules import EmissionClass
from routing.street.api import Snaps
from services.common.deadline import current_deadline
from services.common.errors import Unimplemented
from services.common.status import InvalidRequest
from services.journeys.request_mapping import preferences
from services.journeys.routes import STREET_MODES
from services.journeys.view import JourneyView
from services.journeys.zones import VehicleZones

BLOCK_PAIRS = 250_000
"""Pairs between two looks at the caller's deadline, and in one message: some 40 ms of work by car, 500 kB."""

MOST_PAIRS_IN_MESSAGE = 1_000_000
"""However many rows a caller wants in one: messages must fit under every server's limit, 10 bytes a pair at worst."""

TRANSIT_ROWS = 16
"""Origins by transit between two looks and in one message: each is a search through the timetable."""

MatrixRequest = matrix_pb2.GetMatrixRequest | matrix_pb2.StreamMatrixRequest
Block = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32] | None]
"""Seconds of some rows, and metres where they were asked for."""


def pair_count(request: MatrixRequest) -> int:
    """Origins times destinations."""
    return len(request.origins) * len(request.destinations)


def get_matrix(
    view: JourneyView, request: matrix_pb2.GetMatrixRequest, now_s: int, done: Callable[[int], None] | None = None
) -> matrix_pb2.GetMatrixResponse:
    """Times row by row, and distances if asked for; -1 where there is no way. Places off the street network name their field.

    `done` is told how many pairs have been computed, as they are.

    Raises
    ------
    Unimplemented
        For distances by public transport.
    """
    if request.with_distances and request.mode == pb.MODE_TRANSIT:
        raise Unimplemented("with_distances: distances are known on streets only; leave it out", field="with_distances")
    tables, lengths = [], []
    notices = _zone_notices(view, request, now_s)
    for block, lengths_m in _blocks(view, request, now_s, 0, with_lengths=request.with_distances):
        tables.append(block)
        if lengths_m is not None:
            lengths.append(lengths_m)
        if done is not None:
            done(block.size)
    table = np.concatenate(tables)
    return matrix_pb2.GetMatrixResponse(
        durations_s=table.ravel().tolist(),
        distances_m=np.concatenate(lengths).ravel().tolist() if lengths else (),
        origin_count=len(request.origins),
        destination_count=len(request.destinations),
        unreachable_count=int(np.count_nonzero(table < 0)),
        notices=notices,
    )


def stream_matrix(
    view: JourneyView, request: matrix_pb2.StreamMatrixRequest, now_s: int
) -> Iterator[matrix_pb2.StreamMatrixResponse]:
    """Yield the same rows in messages; the caller's deadline is looked at before each."""
    first = 0
    for table, _ in _blocks(view, request, now_s, request.max_row_count):
        yield matrix_pb2.StreamMatrixResponse(
            first_row_index=first,
            row_count=len(table),
            destination_count=table.shape[1],
            durations_s=table.ravel().tolist(),
            unreachable_count=int(np.count_nonzero(table < 0)),
            notices=_zone_notices(view, request, now_s) if first == 0 else (),
        )
        first += len(table)


def _blocks(
    view: JourneyView, request: MatrixRequest, now_s: int, wanted_rows: int, *, with_lengths: bool = False
) -> Iterator[Block]:
    """Yield seconds (int32 [rows, destinations], -1 = no way) of some origins after others, as long as somebody waits.

    With the lengths of the ways (float32 m) if they are wanted.
    """
    time_s = request.depart_at_unix_s or now_s
    origins = _points(view, request.origins, "origins")
    destinations = _points(view, request.destinations, "destinations")
    of_transit = request.mode == pb.MODE_TRANSIT
    rows = wanted_rows or (TRANSIT_ROWS if of_transit else max(1, BLOCK_PAIRS // len(destinations)))
    rows = max(1, min(rows, MOST_PAIRS_IN_MESSAGE // len(destinations)))
    ends = origins, destinations
    found = (
        _by_transit(view, request, *ends, time_s, rows)
        if of_transit
        else _on_streets(view, request, *ends, time_s, rows, with_lengths)
    )
    while True:
        current_deadline().check()
        block = next(found, None)
        if block is None:
            return
        block[0][block[0] == NEVER_S] = -1
        yield block


def _points(view: JourneyView, locations: Sequence[geo_pb2.Location], field: str) -> list[Point]:
    return [view.places.resolve(location, f"{field}[{k}]") for k, location in enumerate(locations)]


def _snaps(view: JourneyView, points: list[Point], mode: StreetMode, field: str) -> Snaps:
    """Positions of all points; every one that is far from the streets of the mode is named.

    Raises
    ------
    InvalidRequest
        With the fields of the points that are too far away.
    """
    snaps = view.network.street.snap([p.lat_deg for p in points], [p.lon_deg for p in points], mode)
    violations = []
    for k in np.flatnonzero(snaps.arc < 0).tolist():
        try:
            view.network.snap(points[k], mode, f"{field}[{k}]")
        except routing.errors.RoutingError as error:
            violations.append((f"{field}[{k}]", str(error)))
    if violations:
        raise InvalidRequest(violations)
    return snaps


def _on_streets(
    view: JourneyView,
    request: MatrixRequest,
    origins: list[Point],
    destinations: list[Point],
    time_s: int,
    rows: int,
    with_lengths: bool,
) -> Iterator[Block]:
    mode = STREET_MODES[request.mode]
    if mode is StreetMode.FOOT and request.preferences.wheelchair:
        mode = StreetMode.WHEELCHAIR
    ends = _snaps(view, origins, mode, "origins"), _snaps(view, destinations, mode, "destinations")
    live = not request.ignore_realtime
    zones = VehicleZones.of(view, mode, time_s, request.preferences, live=live)
    metric = view.metric(mode, time_s, live=live, emission=zones.emission)
    factor = preferences(_ask(origins, time_s), request.preferences, ()).speed_factor(mode)
    if with_lengths:
        return street_blocks_with_lengths(view.network, metric, *ends, factor, rows)
    return ((table, None) for table in street_blocks_s(view.network, metric, *ends, factor, rows))


def _zone_notices(view: JourneyView, request: MatrixRequest, now_s: int) -> list[str]:
    """Places in zones that are closed to the vehicle."""
    mode, time_s = STREET_MODES.get(request.mode, StreetMode.FOOT), request.depart_at_unix_s or now_s
    zones = VehicleZones.of(view, mode, time_s, request.preferences, live=not request.ignore_realtime)
    if not zones.closed:
        return []
    groups = (("origins", request.origins), ("destinations", request.destinations))
    return zones.notices((field, _snaps(view, _points(view, places, field), mode, field)) for field, places in groups)


def _by_transit(
    view: JourneyView, request: MatrixRequest, origins: list[Point], destinations: list[Point], time_s: int, rows: int
) -> Iterator[Block]:
    """Transit with walking to, from and instead of it."""
    network = view.network_at(time_s, EmissionClass.ELECTRIC, live=not request.ignore_realtime)
    ask = preferences(_ask(origins, time_s), request.preferences, ())
    mode = walking_mode(ask)
    starts, goals = _snaps(view, origins, mode, "origins"), _snaps(view, destinations, mode, "destinations")
    egress = [_around(network, ask, goals, k, egress=True) for k in range(len(destinations))]
    for begin in range(0, len(origins), rows):
        some = np.arange(begin, min(begin + rows, len(origins)))
        access = [_around(network, ask, starts, k, egress=False) for k in some.tolist()]
        rides = transit_matrix_s(network, ask, access, egress, current_deadline().should_stop)
        walks = street_matrix_s(network, network.metrics[mode], starts.take(some), goals, ask.walk_speed_factor)
        yield np.minimum(rides, walks), None


def _around(network: JourneyNetwork, ask: JourneyRequest, snaps: Snaps, k: int, *, egress: bool) -> StopReach:
    """Stops within walking distance of one point, as long as somebody waits for the answer."""
    current_deadline().check()
    return stops_around(network, ask, snaps.take(k), egress=egress)


def _ask(origins: list[Point], time_s: int) -> JourneyRequest:
    return JourneyRequest(origins[0], origins[0], time_s)
