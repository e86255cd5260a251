"""What a demonstration changes in the recorded day: a delay now, a blocked street now, in the feed files themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.transit import gtfs_realtime_pb2 as pb

from services.common.errors import InvalidInput
from services.recorded_day.archive import RecordedFeed
from services.recorded_day.roads import Closure
from services.recorded_day.writers import datex2, gtfs_rt

MAX_DELAY_S = 4 * 3600
MAX_POINTS = 500
DEFAULT_CLOSURE_S = 2 * 3600


@dataclass(frozen=True, slots=True)
class InjectedDelay:
    """A trip is late from a call on (None: from its next call, or its first)."""

    feed_id: str
    trip_id: str
    start_date: str
    delay_s: int
    from_sequence: int | None
    at: int


@dataclass(slots=True)
class Injections:
    """All changes so far; `version` grows with each."""

    delays: dict[tuple[str, str], InjectedDelay] = field(default_factory=dict)
    closures: dict[str, Closure] = field(default_factory=dict)
    version: int = 0
    changed_at: int = 0

    def add_delay(self, wanted: Mapping[str, Any], feeds: Sequence[RecordedFeed], now: int) -> InjectedDelay:
        """Add a delay: ``{"feed", "trip_id", "start_date", "delay_s", "from_stop_sequence"?}``.

        Raises
        ------
        InvalidInput
            If something is missing or out of bounds.
        """
        known = [feed.feed_id for feed in feeds if feed.kind == "gtfs-rt-trip-updates"]
        if wanted.get("feed") not in known:
            raise InvalidInput(f"feed must be one of {', '.join(known)}", field="feed")
        trip_id, date = _text(wanted, "trip_id"), _text(wanted, "start_date")
        if len(date) != 8 or not date.isdigit():
            raise InvalidInput("start_date must be YYYYMMDD", field="start_date")
        delay = _whole(wanted, "delay_s", -3600, MAX_DELAY_S)
        sequence = None if wanted.get("from_stop_sequence") is None else _whole(wanted, "from_stop_sequence", 0, 10_000)
        injected = InjectedDelay(str(wanted["feed"]), trip_id, date, delay, sequence, now)
        self.delays[injected.feed_id, f"{trip_id}|{date}"] = injected
        self._changed(now)
        return injected

    def add_closure(self, wanted: Mapping[str, Any], now: int) -> Closure:
        """Add a blocked street: ``{"path": [[lat, lon], …], "name"?, "id"?, "duration_s"?}``; raises `InvalidInput`."""
        path = wanted.get("path")
        if not isinstance(path, list) or not 2 <= len(path) <= MAX_POINTS:
            raise InvalidInput(f"path must have 2 to {MAX_POINTS} points [lat, lon]", field="path")
        try:
            points = tuple((float(lat), float(lon)) for lat, lon in path)
        except (TypeError, ValueError):
            raise InvalidInput("path must hold points [lat, lon]", field="path") from None
        if not all(-90 <= lat <= 90 and -180 <= lon <= 180 for lat, lon in points):
            raise InvalidInput("path has points that are not on Earth", field="path")
        duration = _whole(wanted, "duration_s", 60, 86_400) if "duration_s" in wanted else DEFAULT_CLOSURE_S
        event_id = str(wanted.get("id") or f"SIM-SIT-NOW-{len(self.closures) + 1}")[:60]
        closure = Closure(event_id, str(wanted.get("name") or "street")[:100], points, now, now + duration)
        self.closures[event_id] = closure
        self._changed(now)
        return closure

    def clear(self, now: int) -> None:
        """Take everything back."""
        self.delays.clear()
        self.closures.clear()
        self._changed(now)

    def apply(self, feed: RecordedFeed, body: bytes) -> bytes:
        """Body of a frame with the changes of its feed."""
        if feed.kind == "gtfs-rt-trip-updates":
            delays = [delay for delay in self.delays.values() if delay.feed_id == feed.feed_id]
            return _with_delays(body, delays) if delays else body
        if feed.kind == "datex2-situations" and self.closures:
            added = "".join(datex2.situation(closure) for closure in self.closures.values())
            head, tail, _ = body.rpartition(b"</d2:payload>")
            return head + added.encode() + tail
        return body

    def touches(self, feed: RecordedFeed) -> bool:
        """Whether changes can concern this feed."""
        return feed.kind in {"gtfs-rt-trip-updates", "datex2-situations"}

    def _changed(self, now: int) -> None:
        self.version += 1
        self.changed_at = now


def _with_delays(body: bytes, delays: Sequence[InjectedDelay]) -> bytes:
    message = pb.FeedMessage.FromString(body)
    for delay in delays:
        message.header.timestamp = max(message.header.timestamp, delay.at)
        entity = next(
            (e for e in message.entity if e.trip_update.trip.trip_id == delay.trip_id and e.HasField("trip_update")), None
        )
        if entity is None:
            entity = message.entity.add(id=f"sim-now-{delay.trip_id}")
            entity.trip_update.trip.trip_id = delay.trip_id
            entity.trip_update.trip.start_date = delay.start_date
        update = entity.trip_update
        update.timestamp = message.header.timestamp
        if update.trip.schedule_relationship == pb.TripDescriptor.CANCELED:
            update.trip.ClearField("schedule_relationship")
        if delay.from_sequence is not None:
            del update.stop_time_update[:]
            update.stop_time_update.add(stop_sequence=delay.from_sequence)
        update.delay = delay.delay_s
        for stop in update.stop_time_update:
            stop.arrival.delay = delay.delay_s
            stop.departure.delay = delay.delay_s
    return gtfs_rt.to_bytes(message)


def _text(wanted: Mapping[str, Any], name: str) -> str:
    value = wanted.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise InvalidInput(f"{name} must be a text", field=name)
    return value


def _whole(wanted: Mapping[str, Any], name: str, low: int, high: int) -> int:
    value = wanted.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidInput(f"{name} must be a whole number from {low} to {high}", field=name)
    return value
