"""FIWARE NGSI v2 and NGSI-LD entities as (id, flat attributes): normalized, concise and key-value renderings."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from services.ingest.sources.base import on_earth
from services.ingest.sources.json_body import number


def list_entities(value: Any) -> list[dict[str, Any]]:
    """Entities of an answer: a list, or one entity."""
    found = value if isinstance(value, list) else [value]
    return [entity for entity in found if isinstance(entity, dict)]


def attribute(entity: dict[str, Any], *names: str) -> Any:
    """Value of the first attribute that is there, whatever the rendering; text is URL-decoded (Orion forbids some marks)."""
    for name in names:
        value = entity.get(name)
        if isinstance(value, dict) and "type" in value and ("value" in value or "object" in value):
            value = value.get("value", value.get("object"))
        if isinstance(value, dict) and set(value) <= {"@type", "@value"}:
            value = value.get("@value")
        if value is not None:
            return unquote(value) if isinstance(value, str) and "%" in value else value
    return None


def position(entity: dict[str, Any]) -> tuple[float, float] | None:
    """(lat, lon) of `location` (GeoJSON point, or the centre of the first ring or line), or of `lat`/`lon` attributes."""
    location = attribute(entity, "location")
    lat, lon = number(attribute(entity, "lat", "latitude")), number(attribute(entity, "lon", "lng", "longitude"))
    if isinstance(location, dict):
        point = next(_points(location.get("coordinates")), None)
        if point is not None:
            lon, lat = point
    return (lat, lon) if lat is not None and lon is not None and on_earth(lat, lon) else None


def _points(coordinates: Any, depth: int = 0) -> Iterator[tuple[float, float]]:
    if not isinstance(coordinates, list) or depth > 4:
        return
    if len(coordinates) >= 2 and not isinstance(coordinates[0], list):
        lon, lat = number(coordinates[0]), number(coordinates[1])
        if lon is not None and lat is not None:
            yield lon, lat
        return
    for part in coordinates:
        yield from _points(part, depth + 1)
