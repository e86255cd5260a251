"""The place index of a city: stops, streets, addresses, points of interest, car parks and localities."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from routing.model.car_parks import CarParks
from routing.model.places import PlaceIndex, PlaceKind, WordField
from routing.model.street_graph import StreetGraph
from routing.model.strings import StringTable
from routing.model.timetable import Timetable
from routing.places.folding import fold_words
from services.city.config import CityConfig
from services.city.osm_features import OsmFeature
from services.city.place_stops import stop_places
from services.city.place_streets import street_places
from services.city.place_types import Localities, Place, distance_m

_POI_IMPORTANCE = {
    "aeroway": 200, "railway": 140, "tourism": 120, "historic": 100, "leisure": 70, "amenity": 80, "shop": 40, "office": 40,
    "healthcare": 80,
}  # fmt: skip
_FAMOUS = {
    "hospital": 180,
    "university": 160,
    "townhall": 150,
    "theatre": 130,
    "marketplace": 130,
    "museum": 150,
    "stadium": 150,
}
_SAME_M = 300.0
_NOT_PLACES = {"parking", "parking_entrance", "parking_space", "bicycle_parking", "bench", "waste_basket", "vending_machine"}
_NOT_RAILWAY = {
    "station",
    "halt",
    "tram_stop",
    "subway_entrance",
    "level_crossing",
    "crossing",
    "signal",
    "switch",
    "buffer_stop",
    "stop",
    "platform",
}
_PLACE_IMPORTANCE = {
    "city": 255, "town": 200, "borough": 180, "suburb": 160, "quarter": 140, "village": 150, "neighbourhood": 120,
    "hamlet": 100,
    "locality": 80, "square": 110, "isolated_dwelling": 40, "island": 100, "islet": 40, "farm": 40,
}  # fmt: skip
_REACH_M = {"city": 6000.0, "town": 4000.0, "suburb": 2000.0, "village": 2000.0, "borough": 3000.0, "quarter": 1200.0}


@dataclass(frozen=True, slots=True)
class PlaceSources:
    """What the index is made of."""

    features: Sequence[OsmFeature]
    graph: StreetGraph
    timetable: Timetable | None
    car_parks: CarParks


def build_places(city: CityConfig, sources: PlaceSources) -> PlaceIndex:
    """Make the place index of a city; places are ordered by kind, then as their sources are."""
    localities = Localities(list(_localities(city, sources.features)))
    places: list[Place] = []
    if sources.timetable is not None:
        places += stop_places(sources.timetable, city.languages, localities)
    places += street_places(sources.graph, city.languages, localities)
    places += _addresses(sources.features, localities)
    places += _points_of_interest(sources.features, localities)
    places += localities.places
    places += _car_parks(sources.car_parks, localities)
    places.sort(key=lambda place: place.kind)
    return index_places(places, city.languages)


def _localities(city: CityConfig, features: Sequence[OsmFeature]) -> Iterable[Place]:
    for entry in city.localities:
        yield Place(
            PlaceKind.LOCALITY, entry.name, entry.lat, entry.lon, entry.importance, "place:declared", "", reach_m=entry.radius_m
        )
    declared = {entry.name for entry in city.localities}
    for feature in features:
        kind, name = feature.tags.get("place", ""), feature.tags.get("name", "")
        if name and name not in declared and kind in _PLACE_IMPORTANCE:
            reach = _REACH_M.get(kind, 0.0)
            yield _place(PlaceKind.LOCALITY, feature, name, _PLACE_IMPORTANCE[kind], f"place:{kind}", reach_m=reach)


def _addresses(features: Sequence[OsmFeature], localities: Localities) -> Iterable[Place]:
    for feature in features:
        tags = feature.tags
        street = tags.get("addr:street") or tags.get("addr:place")
        number = tags.get("addr:housenumber", "")
        if street and number:
            town = tags.get("addr:city") or localities.find(feature.lat_deg, feature.lon_deg)
            yield _place(PlaceKind.ADDRESS, feature, f"{street} {number}", 30, "address", locality=town)


def _points_of_interest(features: Sequence[OsmFeature], localities: Localities) -> Iterable[Place]:
    seen: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for feature in features:
        tags = feature.tags
        name = tags.get("name", "")
        key = next((key for key in _POI_IMPORTANCE if key in tags), "")
        value = tags.get(key, "")
        if not name or not key or value in _NOT_PLACES or (key == "railway" and value in _NOT_RAILWAY) or "place" in tags:
            continue
        importance = _FAMOUS.get(value, _POI_IMPORTANCE[key]) + (20 if "wikipedia" in tags or "wikidata" in tags else 0)
        # A campus of twenty buildings of one name is one place.
        same = seen[name, value]
        if any(distance_m(feature.lat_deg, feature.lon_deg, *other) <= _SAME_M for other in same):
            continue
        same.append((feature.lat_deg, feature.lon_deg))
        town = localities.find(feature.lat_deg, feature.lon_deg)
        yield _place(PlaceKind.POINT_OF_INTEREST, feature, name, importance, f"{key}:{value}", locality=town)


def _place(
    kind: PlaceKind, feature: OsmFeature, name: str, importance: int, category: str, locality: str = "", reach_m: float = 0.0
) -> Place:
    other = ("alt_name", "short_name", "old_name", "official_name", "loc_name", "name:en")
    aliases = tuple(sorted({feature.tags[key] for key in other if key in feature.tags} - {name}))
    return Place(
        kind,
        name,
        feature.lat_deg,
        feature.lon_deg,
        importance,
        category,
        f"osm:{feature.ref}",
        locality,
        aliases,
        reach_m=reach_m,
    )


def _car_parks(parks: CarParks, localities: Localities) -> Iterable[Place]:
    for i, name in enumerate(parks.names):
        lat, lon = float(parks.centre_lat_e7[i]) * 1e-7, float(parks.centre_lon_e7[i]) * 1e-7
        aliases = ("P+R park and ride",) if parks.park_and_ride[i] else ("parking",)
        reference, town = f"car_park:{parks.ids[i]}", localities.find(lat, lon)
        yield Place(PlaceKind.CAR_PARK, name, lat, lon, 50, "car_park", reference, town, aliases)


def index_places(places: Sequence[Place], languages: tuple[str, ...]) -> PlaceIndex:
    """Index the words of `places`, which keep their order (pure)."""
    occurrences: dict[str, dict[int, int]] = defaultdict(dict)
    name_words: list[list[str]] = []
    for i, place in enumerate(places):
        words = list(dict.fromkeys(fold_words(place.name, languages)))
        name_words.append(words)
        fields = (
            (WordField.NAME, words),
            (WordField.ALIAS, [word for alias in place.aliases for word in fold_words(alias, languages)]),
            (WordField.LOCALITY, fold_words(place.locality, languages)),
        )
        for field, texts in fields:
            for word in texts:
                occurrences[word].setdefault(i, int(field))
    words = sorted(occurrences)
    counts = np.array([len(occurrences[word]) for word in words], np.int64)
    weight = np.log1p(len(places) / np.maximum(counts, 1)).astype(np.float32)
    weight_of = dict(zip(words, weight.tolist(), strict=True))
    pairs = [pair for word in words for pair in sorted(occurrences[word].items())]
    stops = [np.array(place.stops, np.int32) for place in places]
    return PlaceIndex(
        languages=languages,
        names=StringTable.build(place.name for place in places),
        localities=StringTable.build(place.locality for place in places),
        categories=StringTable.build(place.category for place in places),
        references=StringTable.build(place.reference for place in places),
        kind=np.array([place.kind for place in places], np.uint8),
        importance=np.array([max(0, min(255, place.importance)) for place in places], np.uint8),
        lat_e7=np.array([round(place.lat_deg * 1e7) for place in places], np.int32),
        lon_e7=np.array([round(place.lon_deg * 1e7) for place in places], np.int32),
        first_stop=np.concatenate([[0], np.cumsum([len(row) for row in stops])]).astype(np.int32),
        stops=np.concatenate([np.zeros(0, np.int32), *stops]).astype(np.int32),
        words=StringTable.build(words),
        word_weight=weight,
        first_place=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        places=np.array([place for place, _ in pairs], np.int32),
        place_field=np.array([field for _, field in pairs], np.uint8),
        name_weight=np.array([math.fsum(weight_of[word] for word in row) for row in name_words], np.float32),
    )
