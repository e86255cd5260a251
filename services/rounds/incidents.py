"""Incidents on the road that were reported of rounds: the streets they are on, and what they leave of speeds there."""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
from traboule.common.v1 import geo_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.model.street_graph import StreetGraph
from routing.street.api import StreetEngine
from routing.street.avoidance import Avoidance, avoided_arcs
from services.common.errors import InvalidInput, NotFound
from services.common.live.link_ids import LinkIds
from services.common.live.links import Place, match_places

MOST_ARCS = 20_000
MOST_INCIDENTS = 200
"""Incidents of the same rounds, those that are over not counted."""
LASTS_S = 3 * 3600
"""How long an incident lasts that says no end."""

Arcs = npt.NDArray[np.int32]


class RoadIncident(msgspec.Struct, frozen=True):
    """Streets closed or slowed for some time.

    Attributes
    ----------
    id : str
        The caller's; empty = none.
    words : str
        What happened, for answers.
    arc_keys : tuple of int
        Streets, by keys that survive a rebuild of the city (`routing.street.arc_keys`).
    factor : float
        Share of the speed that is left; 0 = closed.
    from_s, until_s : int
        Unix seconds; the end is not included.
    digest : str
        Short for all of it.
    """

    id: str
    words: str
    arc_keys: tuple[int, ...]
    factor: float
    from_s: int
    until_s: int
    digest: str = ""


class CityIncidents:
    """Incidents on the streets of one city."""

    def __init__(self, street: StreetEngine) -> None:
        self._street = street
        self._links: LinkIds | None = None
        self._arcs: dict[str, Arcs] = {}

    def prepare(self) -> None:
        """Make what the first incident would wait for; safe to call again."""
        self._link_ids()

    def resolve(self, message: pb.Incident, now_s: int) -> RoadIncident:
        """Incident of a message, reported at `now_s`.

        Raises
        ------
        InvalidInput
            Nothing is named that lies on a street, a link is not known, an area is too large, or it is over already.
        """
        arcs, graph = self._named(message), self._street.graph
        if len(arcs) > MOST_ARCS:
            raise InvalidInput(
                f"incident: {len(arcs)} pieces of streets; at most {MOST_ARCS} are taken, give a smaller area", field="incident"
            )
        starts = message.from_unix_s or now_s
        ends = message.until_unix_s or starts + LASTS_S
        if ends <= max(now_s, starts):
            raise InvalidInput("incident.until_unix_s: it is over by then; give a later end", field="incident.until_unix_s")
        street = _street_name(graph, arcs)
        words = message.description or f"{street} is {'closed' if message.closed else 'slowed'}"
        factor = 0.0 if message.closed else message.speed_factor
        keys = self._link_ids().list_keys(arcs)
        found = RoadIncident(message.incident_id, words, keys, factor, starts, ends)
        return msgspec.structs.replace(found, digest=hashlib.sha256(msgspec.msgpack.encode(found)).hexdigest()[:24])

    def arcs_of(self, incident: RoadIncident) -> Arcs:
        """Its arcs in this graph; those that a rebuild of the city has split or removed are gone."""
        if incident.digest not in self._arcs:
            found = self._link_ids().find_keys(incident.arc_keys)
            if len(self._arcs) > 10 * MOST_INCIDENTS:
                self._arcs.clear()
            self._arcs[incident.digest] = found[found >= 0]
        return self._arcs[incident.digest]

    def lay(
        self, incidents: Sequence[RoadIncident], speeds: npt.NDArray[np.float32] | None, closed: npt.NDArray[np.int64] | None
    ) -> tuple[npt.NDArray[np.float32] | None, npt.NDArray[np.int64] | None]:
        """Lay incidents on speeds (km/h by arc; None = free flow) and closed arcs; where several meet the slowest holds."""
        if not incidents:
            return speeds, closed
        shut, slow = [] if closed is None else [closed], np.ones(self._street.graph.arc_count, np.float32)
        for one in incidents:
            arcs = self.arcs_of(one)
            if one.factor == 0.0:
                shut.append(arcs.astype(np.int64))
            else:
                slow[arcs] = np.minimum(slow[arcs], np.float32(one.factor))
        if (slow < 1.0).any():
            known = self._street.graph.arc_speed_kmh.astype(np.float32) if speeds is None else speeds
            slowed = (known * slow).astype(np.float32)
            speeds = np.where(slow < 1.0, slowed, np.float32(np.nan)) if speeds is None else slowed
        return speeds, np.unique(np.concatenate(shut)) if shut else None

    def _named(self, message: pb.Incident) -> Arcs:
        """Arcs that a message names, ascending."""
        found: list[Arcs] = []
        places = [Place((), one.lat_deg, one.lon_deg) for one in message.points]
        fields = [f"incident.points[{k}]" for k in range(len(places))]
        if message.path:
            if len(message.path) < 2:
                raise InvalidInput("incident.path: give at least two points, or use points", field="incident.path")
            places.append(Place(tuple(_pairs(message.path)), both_directions=message.both_directions))
            fields.append("incident.path")
        for field, arcs in zip(fields, match_places(self._street, places), strict=True):
            if not len(arcs):
                raise InvalidInput(f"{field}: no street for cars is near", field=field)
            found.append(arcs)
        if message.area:
            if len(message.area) < 3:
                raise InvalidInput("incident.area: give at least three corners", field="incident.area")
            touched = avoided_arcs(self._street.graph, Avoidance(polygons=(tuple(_pairs(message.area)),)))
            if not touched.any():
                raise InvalidInput("incident.area: no street lies in it", field="incident.area")
            found.append(np.flatnonzero(touched).astype(np.int32))
        links = self._link_ids().find_arcs(message.link_ids)
        for k in np.flatnonzero(links < 0).tolist():
            field = f"incident.link_ids[{k}]"
            raise InvalidInput(f"{field}: there is no link {message.link_ids[k]!r}", field=field)
        return np.unique(np.concatenate([*found, links])).astype(np.int32)

    def _link_ids(self) -> LinkIds:
        if self._links is None:
            self._links = LinkIds(self._street.graph)
        return self._links


def with_incident(known: Sequence[RoadIncident], new: RoadIncident, now_s: int) -> tuple[RoadIncident, ...]:
    """The incidents with a new one, which takes the place of one of the same id; those that are over are forgotten.

    Raises
    ------
    InvalidInput
        There are too many.
    """
    kept = [one for one in known if one.until_s > now_s and not (new.id and one.id == new.id)]
    if len(kept) >= MOST_INCIDENTS:
        raise InvalidInput(f"incident: {MOST_INCIDENTS} hold already; lift some first", field="incident")
    return (*kept, new)


def without_incident(known: Sequence[RoadIncident], incident_id: str) -> tuple[tuple[RoadIncident, ...], str]:
    """The incidents without that of an id, and what it was in words; raises NotFound."""
    gone = next((one for one in known if one.id == incident_id), None)
    if gone is None:
        message = f"incident.incident_id: these rounds have no incident {incident_id!r}, or it is over"
        raise NotFound(message, field="incident.incident_id")
    return tuple(one for one in known if one is not gone), gone.words


def in_force(
    incidents: Sequence[RoadIncident], zero_s: int, slots: npt.NDArray[np.float64], k: int
) -> tuple[RoadIncident, ...]:
    """Incidents that hold at any time of slot `k`; the only slot there is lasts for ever."""
    begins = zero_s + slots[k] if k else -np.inf
    ends = zero_s + slots[k + 1] if k + 1 < len(slots) else np.inf
    return tuple(one for one in incidents if one.from_s < ends and one.until_s > begins)


def incident_changes(incidents: Sequence[RoadIncident], zero_s: int, slots: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Slots (numbers) before and after the incidents that hold change."""
    held = [in_force(incidents, zero_s, slots, k) for k in range(len(slots))]
    turns = [k for k in range(1, len(held)) if held[k] != held[k - 1]]
    return np.array([k for turn in turns for k in (turn - 1, turn)], np.int64)


def _pairs(points: Iterable[geo_pb2.LatLng]) -> list[tuple[float, float]]:
    return [(one.lat_deg, one.lon_deg) for one in points]


def _street_name(graph: StreetGraph, arcs: Arcs) -> str:
    """Name of the street that most of the length has."""
    metres = np.bincount(graph.arc_name[arcs], graph.arc_length_m[arcs])
    metres[:1] = 0.0
    return graph.names[int(metres.argmax())] if metres.any() else "a street"
