"""Service alerts in force, looked up by what a traveller touches."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.common.records import Alert, InformedEntity


@dataclass(frozen=True, slots=True)
class AlertInForce:
    """An alert with the timetable feed whose ids it uses."""

    static_feed: str
    alert: Alert

    def is_active(self, from_s: int, to_s: int) -> bool:
        """Whether it is in force at some moment of a span (unix seconds)."""
        periods = self.alert.active_periods
        return not periods or any((start is None or start <= to_s) and (end is None or end >= from_s) for start, end in periods)


@dataclass(frozen=True, slots=True, eq=False)
class LiveAlerts:
    """All alerts known. Immutable."""

    epoch: int = 0
    at: int = 0
    alerts: tuple[AlertInForce, ...] = ()

    def list_for(
        self,
        static_feed: str,
        from_s: int,
        to_s: int,
        *,
        agency_id: str = "",
        route_id: str = "",
        trip_id: str = "",
        stop_ids: Iterable[str] = (),
        route_type: int | None = None,
        direction_id: int | None = None,
    ) -> list[AlertInForce]:
        """Alerts that concern a ride (ids as in the feed, without scope) during a span.

        All fields a selector gives must fit (GTFS Realtime `EntitySelector`); one fitting selector is enough. An alert
        without selectors concerns the whole feed.
        """
        stops = frozenset(stop_ids)
        return [
            row
            for row in self.alerts
            if row.static_feed == static_feed
            and row.is_active(from_s, to_s)
            and (
                not row.alert.informed
                or any(_fits(s, agency_id, route_id, trip_id, stops, route_type, direction_id) for s in row.alert.informed)
            )
        ]


def build_alerts(alerts: Iterable[Alert], static_feeds: dict[str, str], epoch: int, now: int) -> LiveAlerts:
    """Alerts that are still valid, in a stable order; `static_feeds` maps feeds to the timetable feed they speak of."""
    rows = [AlertInForce(static_feeds.get(a.feed, a.feed), a) for a in alerts if a.valid_until >= now]
    return LiveAlerts(epoch, now, tuple(sorted(rows, key=lambda row: (row.alert.feed, row.alert.entity))))


def _fits(
    selector: InformedEntity,
    agency_id: str,
    route_id: str,
    trip_id: str,
    stops: frozenset[str],
    route_type: int | None,
    direction_id: int | None,
) -> bool:
    return (
        (not selector.agency_id or selector.agency_id == agency_id)
        and (not selector.route_id or selector.route_id == route_id)
        and (not selector.trip_id or selector.trip_id == trip_id)
        and (not selector.stop_id or selector.stop_id in stops)
        and (selector.route_type is None or selector.route_type == route_type)
        and (selector.direction_id is None or selector.direction_id == direction_id)
    )
