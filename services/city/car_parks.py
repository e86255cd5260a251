"""Car parks of a city: those of the map, of operators' files and of `city.toml`, joined.

The same car park is recognised by the declared `osm` reference or by its id. Private car parks and those for customers
only are left out. A capacity that nobody gives is estimated from the area, and marked.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from routing.model.car_parks import CapacitySource, CarParkKind, CarParks
from routing.model.modes import StreetMode
from routing.model.street_graph import StreetGraph
from routing.model.strings import StringTable
from services.city.car_park_files import ListedCarPark, read_car_park_file
from services.city.config import CarParkInput, CityConfig
from services.city.errors import CityConfigError
from services.city.nearest import NearestNodes
from services.city.osm_features import OsmFeature
from services.city.place_types import distance_m

M2_PER_SPACE = 27.0
"""Ground per space of a car park with its lanes (2.5 m × 5 m stalls on both sides of a 6 m aisle, and ends)."""

_KIND = {
    "surface": CarParkKind.SURFACE, "underground": CarParkKind.UNDERGROUND, "multi-storey": CarParkKind.MULTI_STOREY,
    "rooftop": CarParkKind.MULTI_STOREY, "street_side": CarParkKind.STREET_SIDE, "lane": CarParkKind.STREET_SIDE,
    "unknown": CarParkKind.UNKNOWN,
}  # fmt: skip
_TYPICAL = {CarParkKind.SURFACE: 30, CarParkKind.UNDERGROUND: 200, CarParkKind.MULTI_STOREY: 300, CarParkKind.STREET_SIDE: 10}
_LEVELS = {CarParkKind.UNDERGROUND: 2, CarParkKind.MULTI_STOREY: 4}
_CLOSED = ("private", "no", "customers", "permit", "residents", "employees", "restricted", "delivery")
_ENTRANCE_M = 150.0
_SAME_M = 80.0


@dataclass(frozen=True, slots=True)
class _Park:
    id: str
    name: str
    lat: float
    lon: float
    centre: tuple[float, float]
    capacity: int
    source: CapacitySource
    kind: CarParkKind
    park_and_ride: bool
    fee: int
    disabled: int
    max_height_m: float
    hours: str
    feed: str
    entity: str


def build_car_parks(city: CityConfig, features: Sequence[OsmFeature], graph: StreetGraph) -> CarParks:
    """Join the car parks of all sources.

    Raises
    ------
    CityConfigError
        If an entry of `city.toml` names something that does not exist, or has no position.
    CityInputError
        If a file of car parks cannot be read.
    """
    streets = NearestNodes(graph, StreetMode.CAR)
    parks = {park.id: park for park in _mapped(features, streets)}
    for i, file in enumerate(city.car_park_files):
        declared = {entry.id for entry in city.car_parks}
        for listed in read_car_park_file(city.get_path(file.file), file.format, city.name):
            if listed.lat_deg is None and listed.id not in declared:
                raise CityConfigError(
                    str(city.folder / "city.toml"), f"car_park_files[{i}]",
                    f"{file.file} gives no position for {listed.name}: add [[car_parks]] with id = {listed.id!r}, lat and lon",
                )  # fmt: skip
            park = _listed(listed, file.feed)
            for known in [known for known in parks.values() if _is_same(known, park)]:
                del parks[known.id]
            parks[listed.id] = park
    for i, entry in enumerate(city.car_parks):
        key, joined = entry.id, parks.pop(_osm_id(entry.osm), None) if entry.osm else parks.get(entry.id)
        if entry.osm and joined is None:
            raise CityConfigError(
                str(city.folder / "city.toml"), f"car_parks[{i}].osm", f"{entry.osm!r} is no public car park of the OSM extract"
            )
        parks[key] = _declared(city, i, entry, joined)
    placed = [_named(park, streets) for _, park in sorted(parks.items())]
    return _arrays([park for park in placed if city.bbox is None or city.bbox.contains(park.lat, park.lon)])


def _mapped(features: Sequence[OsmFeature], streets: NearestNodes) -> list[_Park]:
    entrances = [feature for feature in features if feature.tags.get("amenity") == "parking_entrance" and _is_public(feature)]
    parks, used = [], set()
    for feature in features:
        if feature.tags.get("amenity") != "parking" or not _is_public(feature):
            continue
        entrance = _entrance(feature, entrances)
        if entrance is not None:
            used.add(entrance.ref)
        parks.append(_from_feature(feature, entrance, streets))
    # An underground car park is often mapped by its entrances alone; those with a name or a capacity are surely public.
    seen: set[str] = set()
    for entrance in entrances:
        name = entrance.tags.get("name", "")
        if entrance.ref not in used and name not in seen and (name or "capacity" in entrance.tags):
            seen.add(name)
            parks.append(_from_feature(entrance, entrance, streets))
    return parks


def _is_public(feature: OsmFeature) -> bool:
    return feature.tags.get("access", "yes") not in _CLOSED and feature.tags.get("motorcar") != "no"


def _entrance(park: OsmFeature, entrances: Sequence[OsmFeature]) -> OsmFeature | None:
    """Find the mapped entrance: one on the outline, else (underground and multi-storey) the nearest within `_ENTRANCE_M`."""
    outline = set(park.node_ids)
    on_outline = next((entrance for entrance in entrances if entrance.node_ids[0] in outline), None)
    if on_outline is not None or _kind(park.tags) not in _LEVELS:
        return on_outline
    near = [
        (distance_m(park.lat_deg, park.lon_deg, entrance.lat_deg, entrance.lon_deg), entrance.ref, entrance)
        for entrance in entrances
    ]
    return next(
        (entrance for distance, _, entrance in sorted(near, key=lambda item: item[:2]) if distance <= _ENTRANCE_M), None
    )


def _kind(tags: dict[str, str]) -> CarParkKind:
    return _KIND.get(tags.get("parking", ""), CarParkKind.UNKNOWN)


def _from_feature(feature: OsmFeature, entrance: OsmFeature | None, streets: NearestNodes) -> _Park:
    tags, kind = feature.tags, _kind(feature.tags)
    capacity, source = _capacity(tags, kind, feature.area_m2)
    if entrance is not None:
        lat, lon = entrance.lat_deg, entrance.lon_deg
    else:
        on_street = streets.find_of(feature.node_ids)
        lat, lon = on_street if on_street is not None else (feature.lat_deg, feature.lon_deg)
    return _Park(
        _osm_id(feature.ref), tags.get("name", ""), lat, lon, (feature.lat_deg, feature.lon_deg), capacity, source, kind,
        tags.get("park_ride", "no") not in ("no", ""), {"yes": 1, "no": 0}.get(tags.get("fee", ""), -1),
        _number(tags.get("capacity:disabled", ""), -1), _height_m(tags.get("maxheight", "")), tags.get("opening_hours", ""),
        "", "",
    )  # fmt: skip


def _capacity(tags: dict[str, str], kind: CarParkKind, area_m2: float) -> tuple[int, CapacitySource]:
    mapped = _number(tags.get("capacity", ""), 0)
    if mapped > 0:
        return mapped, CapacitySource.MAPPED
    levels = _number(tags.get("parking:levels", tags.get("building:levels", "")), _LEVELS.get(kind, 1))
    if area_m2 > 2 * M2_PER_SPACE:
        return max(1, round(area_m2 * max(levels, 1) / M2_PER_SPACE)), CapacitySource.AREA
    return _TYPICAL.get(kind, 30), CapacitySource.TYPICAL


def _number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else default


def _height_m(text: str) -> float:
    try:
        height = float(text.removesuffix("m").strip().replace(",", "."))
    except ValueError:
        return math.nan
    return height if 1.0 <= height <= 10.0 else math.nan


def _listed(listed: ListedCarPark, feed: str) -> _Park:
    lat = math.nan if listed.lat_deg is None else listed.lat_deg
    lon = math.nan if listed.lon_deg is None else listed.lon_deg
    kind = _KIND[listed.kind]
    source = CapacitySource.FEED if listed.capacity else CapacitySource.TYPICAL
    return _Park(
        listed.id, listed.name, lat, lon, (lat, lon), listed.capacity or _TYPICAL.get(kind, 100), source, kind,
        listed.park_and_ride, -1, listed.disabled_capacity, math.nan if listed.max_height_m is None else listed.max_height_m,
        listed.opening_hours, feed, listed.entity if feed else "",
    )  # fmt: skip


def _declared(city: CityConfig, i: int, entry: CarParkInput, known: _Park | None) -> _Park:
    where = str(city.folder / "city.toml"), f"car_parks[{i}]"
    if known is None:
        if entry.lat is None or entry.lon is None:
            raise CityConfigError(*where, f'{entry.id!r} is new and has no position: add lat and lon, or osm = "way/…"')
        if not entry.capacity:
            raise CityConfigError(*where, f"{entry.id!r} has no capacity: add capacity (it will be marked as assumed)")
        position, unknown = (entry.lat, entry.lon), CarParkKind.UNKNOWN
        known = _Park(
            entry.id, "", *position, position, 0, CapacitySource.DECLARED, unknown, False, -1, -1, math.nan, "", "", ""
        )
    park = replace(known, id=entry.id, name=entry.name or known.name)
    if entry.lat is not None and entry.lon is not None:
        park = replace(park, lat=entry.lat, lon=entry.lon, centre=(entry.lat, entry.lon))
    if entry.capacity and known.source not in (CapacitySource.MAPPED, CapacitySource.FEED):
        source = CapacitySource.DECLARED if entry.capacity_assumed else CapacitySource.FEED
        park = replace(park, capacity=entry.capacity, source=source)
    return replace(
        park,
        kind=_KIND[entry.kind] if entry.kind else park.kind,
        park_and_ride=park.park_and_ride if entry.park_and_ride is None else entry.park_and_ride,
        fee=park.fee if entry.fee is None else int(entry.fee),
        feed=entry.feed or park.feed,
        entity=entry.feed_entity or park.entity,
    )


def _is_same(mapped: _Park, listed: _Park) -> bool:
    """Whether a garage of the map is the one an operator lists: near, and built alike."""
    if (
        not mapped.id.startswith("osm-")
        or mapped.kind in (CarParkKind.SURFACE, CarParkKind.STREET_SIDE)
        or math.isnan(listed.lat)
    ):
        return False
    near = [distance_m(*position, listed.lat, listed.lon) <= _SAME_M for position in (mapped.centre, (mapped.lat, mapped.lon))]
    return any(near)


def _osm_id(ref: str) -> str:
    return "osm-" + ref.replace("/", "-")


def _named(park: _Park, streets: NearestNodes) -> _Park:
    if park.name:
        return park
    street = streets.find_street_name(*park.centre)
    return replace(park, name=f"P {street}" if street else f"P {park.id.removeprefix('osm-')}")


def _arrays(parks: list[_Park]) -> CarParks:
    def e7(values: list[float]) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
        return np.round(np.array(values, np.float64) * 1e7).astype(np.int32)

    return CarParks(
        ids=StringTable.build(park.id for park in parks),
        names=StringTable.build(park.name for park in parks),
        lat_e7=e7([park.lat for park in parks]),
        lon_e7=e7([park.lon for park in parks]),
        centre_lat_e7=e7([park.centre[0] for park in parks]),
        centre_lon_e7=e7([park.centre[1] for park in parks]),
        capacity=np.array([park.capacity for park in parks], np.int32),
        capacity_source=np.array([park.source for park in parks], np.uint8),
        kind=np.array([park.kind for park in parks], np.uint8),
        park_and_ride=np.array([park.park_and_ride for park in parks], bool),
        fee=np.array([park.fee for park in parks], np.int8),
        disabled_capacity=np.array([park.disabled for park in parks], np.int32),
        max_height_m=np.array([park.max_height_m for park in parks], np.float32),
        opening_hours=StringTable.build(park.hours for park in parks),
        feed_ids=StringTable.build(park.feed for park in parks),
        feed_entities=StringTable.build(park.entity for park in parks),
    )
