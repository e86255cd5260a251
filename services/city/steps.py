"""The steps of a city build: each reads its inputs, stores one section of the snapshot and says what it counted.

A step is one function in `STEPS`; a new section is a new entry. Later steps may use what earlier ones made, read back from disk
(mapped), so that the memory of a step is free for the next.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from routing.model.car_parks import CarParks
from routing.model.street_graph import StreetGraph
from routing.model.timetable import Timetable
from routing.multimodal.transfers import build_transfers
from routing.street.api import StreetEngine
from services.city import arrays
from services.city.car_parks import build_car_parks
from services.city.config import CityConfig
from services.city.elevation_files import open_elevation
from services.city.footpaths import with_street_footpaths
from services.city.gtfs_reader import GtfsSource, read_timetable
from services.city.gtfs_reader_transfers import WalkOptions
from services.city.hierarchies import HIERARCHY_MODES, build_hierarchies
from services.city.low_emission_zones import DeclaredZones, compile_zones, declared_zones
from services.city.osm_features import OsmFeature, read_features
from services.city.osm_reader import read_street_graph_and_report
from services.city.places import PlaceSources, build_places
from services.city.signal_sites import build_signal_sites
from services.common.records import Finding

Say = Callable[[float], None]
"""Called with the share of the step that is done."""


@dataclass(slots=True)
class Building:
    """A snapshot under construction."""

    city: CityConfig
    folder: Path
    counts: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    features: list[OsmFeature] | None = None
    zones: DeclaredZones | None = None

    def street(self) -> StreetGraph:
        """The stored street graph, mapped."""
        return arrays.load(self.folder / "street", StreetGraph)

    def find_timetable(self) -> Timetable | None:
        """The stored timetable, mapped; None in a city without one."""
        return arrays.load(self.folder / "transit", Timetable) if (self.folder / "transit").exists() else None

    def osm_features(self) -> list[OsmFeature]:
        """Features of the extract, read once."""
        if self.features is None:
            self.features = read_features(self.city.get_path(self.city.osm.file))
        return self.features


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `title` is shown while it runs."""

    name: str
    title: str
    run: Callable[[Building, Say], None]


def _declared(building: Building, say: Say) -> None:
    """What may be wrong and takes no time comes before what takes minutes."""
    del say
    building.zones = declared_zones(building.city)
    building.warnings += building.zones.warnings


def _street(building: Building, say: Say) -> None:
    box = building.city.bbox
    limits = (box.south, box.west, box.north, box.east) if box else None
    path = building.city.get_path(building.city.osm.file)
    model = open_elevation(building.city)
    heights_at = None if model is None else model.heights_m
    graph, report = read_street_graph_and_report(path, limits, lambda _text, share: say(share), heights_at=heights_at)
    arrays.store(building.folder / "street", graph)
    building.counts.update(
        street_nodes=graph.node_count,
        street_arcs=graph.arc_count,
        turn_restrictions=report.restrictions,
        street_ways=report.ways,
    )
    building.warnings += [
        f"osm: {count} turn restrictions or conditions left out: {why}" for why, count in sorted(report.skipped.items())
    ]
    if report.missing_nodes:
        building.warnings.append(f"osm: {report.missing_nodes} nodes of ways are not in the extract")
    if report.heights is not None:
        building.counts["street_nodes_with_height"] = graph.node_count - report.heights.unknown_nodes
        if report.heights.doubted:
            building.warnings.append(f"osm: {report.heights.doubted} heights (ele) left out: far from the elevation model")
        if model is not None and report.heights.unknown_nodes:
            building.warnings.append(
                f"elevation: {report.heights.unknown_nodes} street nodes have no height: a tile is missing or void there"
            )


def _zones(building: Building, say: Say) -> None:
    del say
    declared = building.zones or declared_zones(building.city)
    zones = compile_zones(building.street(), declared.zones, ZoneInfo(building.city.timezone))
    arrays.store(building.folder / "zones", zones)
    building.counts.update(zones=len(set(zones.ids)), zone_rules=len(zones), zone_arcs=len(np.unique(zones.arcs)))
    for k in range(len(zones)):
        if not len(zones.arcs_of(k)):
            building.warnings.append(f"zone {zones.ids[k]}: no street of the city lies inside; check its outline")


def _hierarchies(building: Building, say: Say) -> None:
    for done, mode in enumerate(HIERARCHY_MODES):
        say(done / len(HIERARCHY_MODES))
        for name, arcs in build_hierarchies(building.folder, building.street(), (mode,)).items():
            building.counts[f"hierarchy_arcs_{name}"] = arcs


def _transit(building: Building, say: Say) -> None:
    city = building.city
    if not city.gtfs:
        building.warnings.append("gtfs: none is declared in city.toml; there will be no public transport")
        return
    findings: list[Finding] = []
    told = 0

    def tell(_text: str) -> None:
        nonlocal told
        told += 1
        say(min(0.95, told / (len(city.gtfs) + 2)))

    sources = [GtfsSource(item.id, city.get_path(item.file), item.shift_days) for item in city.gtfs]
    timetable = read_timetable(sources, tell, findings, WalkOptions(radius_m=0.0))
    timetable = with_street_footpaths(timetable, building.street())
    arrays.store(building.folder / "transit", timetable)
    building.counts.update(
        stops=timetable.stop_count,
        routes=timetable.route_count,
        trips=timetable.trip_count,
        stop_times=len(timetable.arrival_s),
        patterns=timetable.pattern_count,
        footpaths=len(timetable.footpath_to),
    )
    codes = Counter((finding.where.split(":")[0], finding.code, finding.message) for finding in findings)
    building.warnings += [f"gtfs {where}: {message} ({code}, {n} ×)" for (where, code, message), n in sorted(codes.items())]
    building.warnings += _idle_feeds(city, timetable)


def _idle_feeds(city: CityConfig, timetable: Timetable) -> list[str]:
    """Feeds without service on the reference day: journeys of examples would silently lack them."""
    day = timetable.day_of_date(city.reference_date)
    running = [0] * timetable.feed_count
    if 0 <= day < timetable.day_count:
        runs = (timetable.service_days[:, day >> 3] >> (day & 7) & 1)[timetable.trip_service]
        feeds = timetable.route_feed[timetable.trip_route]
        running = np.bincount(feeds[runs == 1], minlength=timetable.feed_count).tolist()
    return [
        f"gtfs {feed}: no service on the reference date {city.reference_date}: change reference_date or shift_days"
        for feed, trips in zip(timetable.feed_ids, running, strict=True)
        if not trips
    ]


def _transfers(building: Building, say: Say) -> None:
    timetable = building.find_timetable()
    if timetable is None:
        return
    transfers = build_transfers(StreetEngine(building.street()), timetable)
    say(0.9)
    arrays.store(building.folder / "transfers", transfers)
    building.counts.update(transfers_on_foot=len(transfers.on_foot), transfers_step_free=len(transfers.step_free))


def _parking(building: Building, say: Say) -> None:
    features = building.osm_features()
    say(0.6)
    parks = build_car_parks(building.city, features, building.street())
    arrays.store(building.folder / "parking", parks)
    building.counts.update(car_parks=len(parks), car_parks_assumed=int(parks.capacity_assumed.sum()))


def _signals(building: Building, say: Say) -> None:
    del say
    sites = build_signal_sites(building.street())
    arrays.store(building.folder / "signals", sites)
    building.counts.update(signal_sites=len(sites), signals=len(sites.signal_nodes))


def _places(building: Building, say: Say) -> None:
    features = building.osm_features()
    say(0.2)
    parks = arrays.load(building.folder / "parking", CarParks)
    sources = PlaceSources(features, building.street(), building.find_timetable(), parks)
    index = build_places(building.city, sources)
    arrays.store(building.folder / "places", index)
    building.counts.update(places=len(index), place_words=len(index.words))


STEPS: tuple[Step, ...] = (
    Step("declared", "declared zones", _declared),
    Step("street", "streets", _street),
    Step("zones", "zones", _zones),
    Step("hierarchies", "street hierarchies", _hierarchies),
    Step("transit", "timetables", _transit),
    Step("parking", "car parks", _parking),
    Step("signals", "traffic signals", _signals),
    Step("places", "places", _places),
    Step("transfers", "changes on foot", _transfers),
)
"""In the order they run."""
