"""Trip updates of all feeds → one change per trip and day, for the transit engine's overlay."""

from collections.abc import Iterable
from dataclasses import dataclass

from routing.transit.realtime import StopChange, TripChange
from services.common.records import TripUpdate, VehiclePosition

INFERRED = frozenset({"ngsi-vehicles"})
"""Adapters whose trip updates are inferred from positions: predictions of the operator win over them."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveTrips:
    """Real time of trips. Immutable.

    Attributes
    ----------
    epoch : int
    at : int
        City time it was made for, unix seconds.
    changes : tuple of TripChange
        At most one per trip instance.
    observed_at : dict of str to int
        Newest observation of each feed, unix seconds.
    vehicles : tuple of VehiclePosition
    """

    epoch: int = 0
    at: int = 0
    changes: tuple[TripChange, ...] = ()
    observed_at: tuple[tuple[str, int], ...] = ()
    vehicles: tuple[VehiclePosition, ...] = ()


def build_trips(updates: Iterable[TripUpdate], vehicles: Iterable[VehiclePosition], epoch: int, now: int) -> LiveTrips:
    """Keep the best valid update of each trip instance: said by the operator before inferred, then the newest."""
    best: dict[tuple[str, str], TripUpdate] = {}
    newest: dict[str, int] = {}
    for update in updates:
        if update.valid_until < now:
            continue
        newest[update.feed] = max(newest.get(update.feed, 0), update.observed_at)
        key = (update.static_feed, update.entity)
        before = best.get(key)
        if before is None or _rank(update) > _rank(before):
            best[key] = update
    changes = tuple(_change(best[key]) for key in sorted(best))
    return LiveTrips(epoch, now, changes, tuple(sorted(newest.items())), tuple(v for v in vehicles if v.valid_until >= now))


def _rank(update: TripUpdate) -> tuple[bool, int, str]:
    return update.provenance.adapter not in INFERRED, update.observed_at, update.feed


def _change(update: TripUpdate) -> TripChange:
    return TripChange(
        feed=update.static_feed, trip_id=update.trip_id, route_id=update.route_id, direction_id=update.direction_id,
        service_date=update.start_date, start_time_s=update.start_time_s, relationship=update.relationship,
        delay_s=update.delay_s,
        stops=tuple(
            StopChange(
                stop_sequence=stop.stop_sequence, stop_id=stop.stop_id, arrival_delay_s=stop.arrival_delay_s,
                departure_delay_s=stop.departure_delay_s, arrival_time_s=stop.arrival_time,
                departure_time_s=stop.departure_time, relationship=stop.relationship,
            )
            for stop in update.stop_times
        ),
    )  # fmt: skip
