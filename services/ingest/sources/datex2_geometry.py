"""Coordinates of DATEX II location references."""

from services.ingest.sources.base import on_earth
from services.ingest.sources.xml import Element

MAX_POINTS = 5_000


def read_path(location: Element) -> tuple[tuple[float, float], ...]:
    """(lat, lon) points of a location reference in document order; empty where it has none that can be read.

    Point by coordinates, linear by coordinates (v3), `gmlLineString` position lists (v2 extension, v3), and OpenLR
    coordinates are understood. A position list is latitude first (EPSG:4326), as DATEX II says.
    """
    points: list[tuple[float, float]] = []
    for element in location.iter("{*}posList", "{*}latitude"):
        name = str(element.tag).rpartition("}")[2]
        if name == "posList":
            points += _pairs(element.text or "")
        else:
            longitude = element.getparent().find("{*}longitude")  # type: ignore[union-attr]
            point = _point(element.text, longitude.text if longitude is not None else None)
            if point is not None:
                points.append(point)
        if len(points) > MAX_POINTS:
            break
    unique = [point for index, point in enumerate(points[:MAX_POINTS]) if index == 0 or point != points[index - 1]]
    return tuple(unique)


def _point(latitude: str | None, longitude: str | None) -> tuple[float, float] | None:
    try:
        lat, lon = float(latitude or ""), float(longitude or "")
    except ValueError:
        return None
    return (lat, lon) if on_earth(lat, lon) else None


def _pairs(text: str) -> list[tuple[float, float]]:
    values = text.replace(",", " ").split()
    found = (_point(lat, lon) for lat, lon in zip(values[::2], values[1::2], strict=False))
    return [point for point in found if point is not None]
