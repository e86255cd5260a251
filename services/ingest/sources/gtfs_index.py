"""Look-up of trips straight from a GTFS archive (`StaticIndex`), for checks without a city snapshot."""

from datetime import date

from services.ingest.sources.base import Findings, SourceContext, TripInfo, sha256_hex
from services.ingest.sources.gtfs import Checked, check
from services.ingest.sources.times import service_day_start


class GtfsIndex:
    """`StaticIndex` over a checked archive."""

    def __init__(self, feed: Checked, version: str) -> None:
        self._feed = feed
        self.version = version

    @classmethod
    def build(cls, body: bytes, now: int) -> "GtfsIndex":
        """Index a GTFS archive.

        Raises
        ------
        FeedRejected
            If the archive cannot be used.
        """
        checked = check(body, SourceContext(feed="static", now=now), Findings())
        return cls(checked, sha256_hex(body)[:16])

    def find_trip(self, trip_id: str) -> TripInfo | None:
        """Answer the trip, or None."""
        return self._feed.trips.get(trip_id)

    def runs_on(self, trip: TripInfo, date_text: str) -> bool:
        """Whether the trip's service runs on a date YYYYMMDD."""
        try:
            day = date(int(date_text[:4]), int(date_text[4:6]), int(date_text[6:]))
        except ValueError:
            return False
        return day in self._feed.services.get(trip.service_id, ())

    def service_day_start(self, date_text: str) -> int:
        """Unix seconds of "noon minus 12 h"."""
        return service_day_start(date_text, self._feed.timezone)
