"""One matcher for all feeds of a city snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from routing.model.car_parks import CarParks
from routing.model.timetable import Timetable
from routing.street.api import StreetEngine
from services.common.live.parking import CarParkMatcher
from services.common.records import AnyRecord, Observation, TripUpdate, VehiclePosition
from services.ingest.feed import Feed
from services.ingest.match.roads import RoadMatcher
from services.ingest.match.timetable import TimetableStatic
from services.ingest.match.vehicles import VehicleMatcher
from services.ingest.publish import Matched


@dataclass(slots=True)
class CityMatcher:
    """Matches records to timetable, streets and car parks; parts that are absent match nothing and judge nothing."""

    timetable: Timetable | None = None
    street: StreetEngine | None = None
    car_parks: CarParks | None = None
    statics: Mapping[str, TimetableStatic] = field(default_factory=dict)
    _vehicles: dict[str, VehicleMatcher] = field(default_factory=dict)
    _roads: RoadMatcher | None = None
    _parks: CarParkMatcher | None = None

    def __post_init__(self) -> None:
        self._roads = RoadMatcher(self.street) if self.street is not None else None
        self._parks = CarParkMatcher(self.car_parks) if self.car_parks is not None else None

    def __call__(self, feed: Feed, records: tuple[AnyRecord, ...], now: int) -> Matched:
        """Answer the records as they should be stored, and the share of entities that were matched."""
        if feed.adapter == "ngsi-vehicles":
            return self._match_vehicles(feed, records, now)
        if feed.adapter == "parking-parkapi" and self._parks is not None:
            rows = {row.entity: row for row in records if isinstance(row, Observation)}
            return Matched(records, _ratio(sum(self._parks.find(row) is not None for row in rows.values()), len(rows)))
        if feed.adapter in {"datex2", "waze-ccp"} and self._roads is not None:
            return Matched(*self._roads.match(records))
        static = self.statics.get(feed.static_feed)
        if static is not None:
            trips = {row.trip_id for row in records if isinstance(row, TripUpdate | VehiclePosition) and row.trip_id}
            return Matched(records, _ratio(sum(static.find_trip(trip) is not None for trip in trips), len(trips)))
        return Matched(records)

    def _match_vehicles(self, feed: Feed, records: tuple[AnyRecord, ...], now: int) -> Matched:
        if self.timetable is None or feed.static_feed not in self.statics:
            return Matched(records)
        matcher = self._vehicles.get(feed.feed_id)
        if matcher is None:
            matcher = self._vehicles[feed.feed_id] = VehicleMatcher(self.timetable, feed.static_feed)
        vehicles, updates = matcher.match((row for row in records if isinstance(row, VehiclePosition)), now)
        in_service = [row for row in vehicles if row.route_id]
        return Matched((*vehicles, *updates), _ratio(sum(bool(row.matched_trip_id) for row in in_service), len(in_service)))


def _ratio(matched: int, total: int) -> float | None:
    return matched / total if total else None
