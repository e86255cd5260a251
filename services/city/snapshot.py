"""A city snapshot, opened: sections are mapped on first use and shared by all processes that map them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from routing.model.access_zones import AccessZones, no_zones
from routing.model.car_parks import CarParks
from routing.model.modes import StreetMode
from routing.model.places import PlaceIndex
from routing.model.signal_sites import SignalSites
from routing.model.street_graph import StreetGraph
from routing.model.timetable import Timetable
from routing.model.transfers import StreetTransfers
from services.city import arrays
from services.city.config import CITY_FILE, BoundingBox, CityConfig, parse_city
from services.city.errors import CityNotFoundError, SnapshotCorruptError, SnapshotFormatError, SnapshotMissingError
from services.city.layout import CityHome
from services.city.manifest import Manifest, sha256_of

if TYPE_CHECKING:
    from routing.street.cch import Hierarchy


class CitySnapshot:
    """An immutable city: arrays, manifest and declaration.

    Parameters
    ----------
    folder : Path
        Of the snapshot.
    epoch : int
        Of the pointer when it was opened; answers are stamped with it. 0 = opened past the pointer.

    Raises
    ------
    SnapshotMissingError, SnapshotCorruptError, SnapshotFormatError
        If it is incomplete or of another version.
    """

    def __init__(self, folder: Path, epoch: int = 0) -> None:
        self.folder = folder
        self.epoch = epoch
        self.manifest = Manifest.read(folder)
        if self.manifest.format != arrays.FORMAT:
            raise SnapshotFormatError(
                f"{folder} has layout {self.manifest.format}, this program reads {arrays.FORMAT}: build the city again "
                "(traboule city build)"
            )

    @property
    def id(self) -> str:
        """Id of the snapshot: a digest of its inputs."""
        return self.manifest.id

    @cached_property
    def city(self) -> CityConfig:
        """The `city.toml` it was built from (its `folder` is that of the snapshot)."""
        path = self.folder / CITY_FILE
        try:
            return parse_city(path.read_text(encoding="utf-8"), path)
        except FileNotFoundError:
            raise SnapshotMissingError(f"{path} is missing: build the city again (traboule city build)") from None

    @property
    def name(self) -> str:
        """Name of the city, as in `city.toml`."""
        return self.city.name

    @property
    def timezone(self) -> str:
        """IANA name of the city's time zone."""
        return self.city.timezone

    @cached_property
    def bbox(self) -> BoundingBox:
        """The declared limits, else those of the streets."""
        if self.city.bbox is not None:
            return self.city.bbox
        lat, lon = self.street.node_lat_e7, self.street.node_lon_e7
        return BoundingBox(float(lat.min()) * 1e-7, float(lon.min()) * 1e-7, float(lat.max()) * 1e-7, float(lon.max()) * 1e-7)

    @cached_property
    def street(self) -> StreetGraph:
        """Streets, mapped."""
        return arrays.load(self.folder / "street", StreetGraph)

    @cached_property
    def hierarchies(self) -> "Mapping[StreetMode, Hierarchy]":
        """Hierarchies of `street` by mode, mapped; empty in a snapshot without any."""
        from services.city.hierarchies import load_hierarchies  # noqa: PLC0415 - opening a snapshot needs no engine

        return load_hierarchies(self.folder)

    @property
    def has_timetable(self) -> bool:
        """Whether the city has public transport at all."""
        return (self.folder / "transit").exists()

    @cached_property
    def timetable(self) -> Timetable:
        """Public transport, mapped.

        Raises
        ------
        SnapshotMissingError
            In a city without a timetable (`has_timetable`).
        """
        if not self.has_timetable:
            raise SnapshotMissingError(
                f"{self.manifest.city} has no public transport: add [[gtfs]] to its city.toml and build it"
            )
        return arrays.load(self.folder / "transit", Timetable)

    @cached_property
    def transfers(self) -> StreetTransfers | None:
        """Changes between vehicles along the streets, mapped; None in a city without public transport, or an older snapshot."""
        folder = self.folder / "transfers"
        return arrays.load(folder, StreetTransfers) if folder.exists() else None

    @cached_property
    def car_parks(self) -> CarParks:
        """Car parks, mapped."""
        return arrays.load(self.folder / "parking", CarParks)

    @cached_property
    def zones(self) -> AccessZones:
        """Zones that some vehicles may not enter, mapped; none in an older snapshot."""
        folder = self.folder / "zones"
        return arrays.load(folder, AccessZones) if folder.exists() else no_zones()

    @cached_property
    def signal_sites(self) -> SignalSites:
        """Signalised junctions and crossings, mapped; indices are those of `street`."""
        return arrays.load(self.folder / "signals", SignalSites)

    @cached_property
    def places(self) -> PlaceIndex:
        """Index for the search by name, mapped."""
        return arrays.load(self.folder / "places", PlaceIndex)

    @cached_property
    def timings(self) -> Mapping[str, Any]:
        """Seconds by step and peak memory of the build; empty if not known."""
        try:
            return dict(json.loads((self.folder / "timings.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def check(self) -> None:
        """Compare every file with the manifest (reads all of it).

        Raises
        ------
        SnapshotMissingError, SnapshotCorruptError
            Naming the file.
        """
        for name, about in self.manifest.files.items():
            path = self.folder / name
            if not path.is_file():
                raise SnapshotMissingError(f"{path} is missing: build the city again (traboule city build)")
            if path.stat().st_size != about["bytes"] or sha256_of(path) != about["sha256"]:
                raise SnapshotCorruptError(f"{path} was altered: build the city again (traboule city build)")


@dataclass(frozen=True, slots=True)
class ListedSnapshot:
    """A snapshot on disk."""

    city: str
    id: str
    folder: Path
    is_current: bool
    bytes: int
    counts: Mapping[str, int]


def open_snapshot(home: Path, city: str) -> CitySnapshot:
    """Open the current snapshot of a city.

    Raises
    ------
    CityNotFoundError
        If it has not been built.
    SnapshotError
        If it cannot be used.
    """
    places = CityHome.of(home, city)
    pointer = places.get_pointer()
    folder = places.snapshots / pointer.snapshot
    if not folder.exists():
        raise CityNotFoundError(
            f"the snapshot {pointer.snapshot} of {city} was removed: build the city again (traboule city build)"
        )
    return CitySnapshot(folder, pointer.epoch)


def current_epoch(home: Path, city: str) -> int:
    """Epoch of the current snapshot, 0 if the city has not been built; cheap enough to ask every second."""
    pointer = CityHome.of(home, city).find_pointer()
    return pointer.epoch if pointer else 0


def list_snapshots(home: Path) -> list[ListedSnapshot]:
    """List all complete snapshots of all cities, the current ones first; damaged ones are left out."""
    found = []
    for folder in sorted((home / "cities").glob("*/snapshots/*/manifest.json")):
        snapshot = folder.parent
        if snapshot.name.startswith("."):
            continue
        try:
            manifest, pointer = Manifest.read(snapshot), CityHome(snapshot.parent.parent).find_pointer()
        except (SnapshotCorruptError, SnapshotMissingError):
            continue
        size = sum(about["bytes"] for about in manifest.files.values())
        current = pointer is not None and pointer.snapshot == snapshot.name
        found.append(ListedSnapshot(manifest.city, manifest.id, snapshot, current, size, manifest.counts))
    return sorted(found, key=lambda item: (item.city, not item.is_current, item.id))
