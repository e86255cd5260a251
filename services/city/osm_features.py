"""Things of an OSM extract that are not streets: car parks, entrances, addresses, points of interest, localities."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import osmium

from services.city.errors import CityInputError

_KEYS = (
    "amenity", "shop", "tourism", "leisure", "historic", "place", "addr:housenumber", "railway", "office", "aeroway",
    "healthcare",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OsmFeature:
    """A tagged node, or an area (closed way or multipolygon).

    Attributes
    ----------
    ref : str
        ``node/1``, ``way/2`` or ``relation/3``.
    lat_deg, lon_deg : float
        Of the node, or the centre of the outer ring.
    area_m2 : float
        0 for nodes.
    node_ids : tuple of int
        Nodes of the outer ring; its own id for a node.
    tags : dict
    """

    ref: str
    lat_deg: float
    lon_deg: float
    area_m2: float
    node_ids: tuple[int, ...]
    tags: dict[str, str]


def read_features(path: Path) -> list[OsmFeature]:
    """Read all features of an extract, ordered by type and id.

    Raises
    ------
    CityInputError
        If the file is missing, truncated or no OSM file.
    """
    keys = osmium.filter.KeyFilter(*_KEYS)
    try:
        features = list(_features(osmium.FileProcessor(str(path)).with_areas(keys).with_filter(keys)))
    except (RuntimeError, OSError, ValueError) as error:
        raise CityInputError(
            f"{path}: cannot be read as an OSM extract ({error}): fetch it again (traboule city update)"
        ) from error
    return sorted(features, key=lambda feature: (feature.ref.split("/")[0], int(feature.ref.split("/")[1])))


def _features(processor: osmium.FileProcessor) -> Iterator[OsmFeature]:
    for entity in processor:
        if isinstance(entity, osmium.osm.Node):
            if entity.location.valid():
                yield OsmFeature(
                    f"node/{entity.id}", entity.location.lat, entity.location.lon, 0.0, (entity.id,), dict(entity.tags)
                )
        elif isinstance(entity, osmium.osm.Area):
            rings = list(entity.outer_rings())
            if not rings:
                continue
            ring = max(rings, key=len)
            points = np.array([(node.lat, node.lon) for node in ring])
            kind = "way" if entity.from_way() else "relation"
            area, lat, lon = _area_and_centre(points)
            yield OsmFeature(f"{kind}/{entity.orig_id()}", lat, lon, area, tuple(node.ref for node in ring), dict(entity.tags))


def _area_and_centre(points: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> tuple[float, float, float]:
    """Area (m²) and centre of mass of a closed ring of (lat, lon), on the local plane."""
    origin = points.mean(axis=0)
    scale = np.array([111_195.0, 111_195.0 * np.cos(np.radians(origin[0]))])
    y, x = ((points - origin) * scale).T
    cross = x[:-1] * y[1:] - x[1:] * y[:-1]
    twice = cross.sum()
    if abs(twice) < 1.0:
        return 0.0, float(origin[0]), float(origin[1])
    centre_x = ((x[:-1] + x[1:]) * cross).sum() / (3 * twice)
    centre_y = ((y[:-1] + y[1:]) * cross).sum() / (3 * twice)
    return abs(float(twice)) / 2, float(origin[0] + centre_y / scale[0]), float(origin[1] + centre_x / scale[1])
