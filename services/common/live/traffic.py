"""Records of roads → live speed of every arc and the arcs that are closed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from services.common.live.links import Arcs, LinkMatcher, Place
from services.common.records import Event, Observation

CLOSING = frozenset({"closure"})
MIN_QUALITY = 0.1
SLOWING = {"accident": 0.5, "roadworks": 0.7, "obstruction": 0.7, "lane_closure": 0.6}
"""Share of the free-flow speed left where an event says nothing itself and nothing is measured."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveTraffic:
    """What is known of the roads now; m arcs. Immutable.

    Attributes
    ----------
    epoch : int
        Grows with every change.
    at : int
        City time it was made for, unix seconds.
    arc_speed_kmh : float32[m]
        NaN = nothing known.
    arc_observed_s : int64[m]
        When the speed was measured, unix seconds; 0 = never.
    arc_quality : float32[m]
        From 0 (not known) to 1.
    arc_flow_vph : float32[m]
        NaN = not measured.
    closed_arcs : int32[…]
        Closed now to all motor vehicles; sorted.
    events : tuple of Event
        In force or announced.
    event_arcs : dict of str to int32[…]
        Arcs of each event (``feed|entity``).
    matched, unmatched : int
        Entities with and without arcs.
    """

    epoch: int
    at: int
    arc_speed_kmh: npt.NDArray[np.float32]
    arc_observed_s: npt.NDArray[np.int64]
    arc_quality: npt.NDArray[np.float32]
    arc_flow_vph: npt.NDArray[np.float32]
    closed_arcs: Arcs
    events: tuple[Event, ...] = ()
    event_arcs: dict[str, Arcs] = field(default_factory=dict)
    matched: int = 0
    unmatched: int = 0

    @property
    def observed_count(self) -> int:
        """Arcs with a live speed."""
        return int(np.count_nonzero(self.arc_observed_s))


def empty_traffic(arc_count: int) -> LiveTraffic:
    """Nothing known."""
    return LiveTraffic(
        0, 0, np.full(arc_count, np.nan, np.float32), np.zeros(arc_count, np.int64), np.zeros(arc_count, np.float32),
        np.full(arc_count, np.nan, np.float32), np.empty(0, np.int32),
    )  # fmt: skip


def build_traffic(
    matcher: LinkMatcher, observations: Iterable[Observation], events: Iterable[Event], epoch: int, now: int
) -> LiveTraffic:
    """Lay all valid observations and events on the arcs; newer ones win, measured speeds win over assumed ones.

    Speeds in km/h are taken as they are; a travel time over a path becomes a speed by the length of its arcs.
    """
    graph = matcher.engine.graph
    rows = [row for row in observations if row.valid_until >= now and row.quality >= MIN_QUALITY and row.kind in _USED]
    rows.sort(key=lambda row: (row.observed_at, row.feed, row.entity))
    current = [event for event in events if not event.cancelled and (event.ends_at is None or event.ends_at > now)]
    places = {_key(row): place_of(row) for row in rows} | {_key(event): place_of(event) for event in current}
    arcs = matcher.match(places)
    base = empty_traffic(graph.arc_count)
    speed, observed, quality, flow = base.arc_speed_kmh, base.arc_observed_s, base.arc_quality, base.arc_flow_vph
    closed: list[Arcs] = []
    for event in current:
        own = arcs[_key(event)]
        if not len(own) or (event.starts_at is not None and event.starts_at > now):
            continue
        if event.kind in CLOSING:
            if not event.vehicles:  # those that bind some only are access rules: `closure_rules`
                closed.append(own)
            continue
        factor = event.speed_factor if event.speed_factor is not None else SLOWING.get(event.kind)
        if factor is not None:
            speed[own] = np.minimum(graph.arc_speed_kmh[own] * np.float32(factor), np.nan_to_num(speed[own], nan=np.inf))
            quality[own] = 0.3
    flows = [(row, arcs[_key(row)]) for row in rows if row.kind == "flow"]
    speeds = [(row, arcs[_key(row)]) for row in rows if row.kind != "flow"]
    lay(flow, [own for _, own in flows], [row.value for row, _ in flows])
    owns = [own for _, own in speeds]
    lay(
        speed,
        owns,
        [row.value if row.kind == "speed" else _speed_of(row.value, graph.arc_length_m[own]) for row, own in speeds],
    )
    lay(observed, owns, [row.observed_at for row, _ in speeds])
    lay(quality, owns, [row.quality for row, _ in speeds])
    matched = sum(len(found) > 0 for found in arcs.values())
    return LiveTraffic(
        epoch, now, speed, observed, quality, flow,
        np.unique(np.concatenate(closed)) if closed else np.empty(0, np.int32),
        tuple(sorted(current, key=lambda event: (event.starts_at or 0, event.feed, event.entity))),
        {_key(event): arcs[_key(event)] for event in current}, matched, len(arcs) - matched,
    )  # fmt: skip


_USED = frozenset({"speed", "travel_time", "flow"})


def _key(row: Observation | Event) -> str:
    return f"{row.feed}|{row.entity}"


def place_of(row: Observation | Event) -> Place:
    """Where on the road a record is about."""
    if isinstance(row, Event):
        return Place(row.path, None, None, row.bearing_deg, row.both_directions, row.arc_keys)
    return Place(row.path, row.lat, row.lon, row.bearing_deg, arc_keys=row.arc_keys)


def lay(onto: npt.NDArray[Any], arcs: Sequence[Arcs], values: Sequence[float]) -> None:
    """Write one value on all arcs of each row at once; where rows meet the later one stays."""
    if arcs:
        onto[np.concatenate(arcs)] = np.repeat(np.array(values, onto.dtype), [len(own) for own in arcs])


def _speed_of(travel_time_s: float, length_m: npt.NDArray[np.float32]) -> float:
    return float(length_m.sum()) / max(travel_time_s, 1.0) * 3.6
