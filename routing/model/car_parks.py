"""Car parks as arrays."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from routing.model.strings import StringTable


class CarParkKind(IntEnum):
    """How a car park is built (OSM `parking`)."""

    SURFACE = 0
    UNDERGROUND = 1
    MULTI_STOREY = 2
    STREET_SIDE = 3
    UNKNOWN = 4


class CapacitySource(IntEnum):
    """Where a capacity comes from; all but the first two are assumptions."""

    MAPPED = 0
    """The OSM `capacity` tag."""
    FEED = 1
    """A file or feed of the operator."""
    DECLARED = 2
    """Written in `city.toml`, checked by nobody else."""
    AREA = 3
    """Estimated from the mapped area and levels."""
    TYPICAL = 4
    """A usual size for its kind: not even an area is known."""


@dataclass(frozen=True, slots=True)
class CarParks:
    """Public car parks of a city; n car parks, in the order of their ids.

    Attributes
    ----------
    ids : StringTable
        Stable ids: that of `city.toml`, or ``osm-node-123`` / ``osm-way-123``.
    names : StringTable
        Never empty: a car park without a name is called after its street.
    lat_e7, lon_e7 : int32[n]
        Where drivers enter: a mapped entrance, else the nearest drivable street's side of the area, else the point itself.
    centre_lat_e7, centre_lon_e7 : int32[n]
        Centre, where one walks from.
    capacity : int32[n]
        Spaces, at least 1.
    capacity_source : uint8[n]
        `CapacitySource`.
    kind : uint8[n]
        `CarParkKind`.
    park_and_ride : bool[n]
    fee : int8[n]
        1 paid, 0 free, -1 not known.
    disabled_capacity : int32[n]
        Spaces for disabled drivers, -1 not known.
    max_height_m : float32[n]
        NaN where not known.
    opening_hours : StringTable
        OSM syntax, empty where not known.
    feed_ids, feed_entities : StringTable
        Live feed (id in `city.toml`) and the car park's id in it; empty without one.
    """

    ids: StringTable
    names: StringTable
    lat_e7: npt.NDArray[np.int32]
    lon_e7: npt.NDArray[np.int32]
    centre_lat_e7: npt.NDArray[np.int32]
    centre_lon_e7: npt.NDArray[np.int32]
    capacity: npt.NDArray[np.int32]
    capacity_source: npt.NDArray[np.uint8]
    kind: npt.NDArray[np.uint8]
    park_and_ride: npt.NDArray[np.bool_]
    fee: npt.NDArray[np.int8]
    disabled_capacity: npt.NDArray[np.int32]
    max_height_m: npt.NDArray[np.float32]
    opening_hours: StringTable
    feed_ids: StringTable
    feed_entities: StringTable

    def __len__(self) -> int:
        return len(self.capacity)

    @property
    def capacity_assumed(self) -> npt.NDArray[np.bool_]:
        """Whether each capacity is an assumption (bool[n])."""
        return np.asarray(self.capacity_source >= CapacitySource.DECLARED)
