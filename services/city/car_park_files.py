"""Car parks from operators' files: FIWARE NGSI v2 `OffStreetParking` entities (as Heidelberg publishes) and ParkAPI v1."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.city.errors import CityInputError

_KINDS = {
    "garage": "multi-storey",
    "parkhaus": "multi-storey",
    "tiefgarage": "underground",
    "parkplatz": "surface",
    "lot": "surface",
}


@dataclass(frozen=True, slots=True)
class ListedCarPark:
    """A car park as a file lists it; `lat_deg` is None and `capacity` 0 where the file does not say."""

    id: str
    entity: str
    name: str
    lat_deg: float | None
    lon_deg: float | None
    capacity: int
    kind: str
    park_and_ride: bool
    opening_hours: str
    max_height_m: float | None
    disabled_capacity: int


def read_car_park_file(path: Path, format: str, city: str) -> list[ListedCarPark]:  # noqa: A002 - the key of city.toml
    """Read a file of car parks.

    Parameters
    ----------
    path : Path
    format : str
        ``ngsi-off-street-parking`` or ``parkapi-v1``.
    city : str
        Prefix of the ids that are made up.

    Raises
    ------
    CityInputError
        If the file is not JSON of that format.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CityInputError(f"{path}: is not readable JSON ({error})") from error
    items = document if format == "ngsi-off-street-parking" else document.get("lots") if isinstance(document, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise CityInputError(f"{path}: is not of the format {format} (no list of car parks): check `format` in city.toml")
    read = _from_ngsi if format == "ngsi-off-street-parking" else _from_parkapi
    return [read(item, city) for item in items]


def _from_ngsi(entity: Mapping[str, Any], city: str) -> ListedCarPark:
    values = {key: item.get("value") if isinstance(item, dict) else item for key, item in entity.items()}
    entity_id = str(values["id"])
    name = str(values.get("name") or values.get("staticName") or entity_id)
    site = str(values.get("staticParkingSiteId") or entity_id.rsplit(":", 1)[-1])
    opening, closing = values.get("openingHours"), values.get("closingHours")
    # The total that was built (static) counts more than the total of the moment, which leaves out what is closed.
    capacity = _whole(values.get("staticTotalSpotNumber")) or _whole(values.get("totalSpotNumber"))
    return ListedCarPark(
        id=f"{city}-{_slug(_number(site))}",
        entity=entity_id,
        name=name,
        lat_deg=_degrees(values.get("lat")),
        lon_deg=_degrees(values.get("lon")),
        # One space stands for "unknown" in disturbed garages.
        capacity=capacity if capacity > 1 else 0,
        kind=_kind(f"{values.get('parking_type', '')} {values.get('specialLocation', '')}"),
        park_and_ride="P+R" in f"{values.get('staticName')} {name}",
        opening_hours=f"{opening}-{closing}" if opening and closing and opening != closing else "24/7" if opening else "",
        max_height_m=_degrees(values.get("maximumAllowedHeight")),
        disabled_capacity=_whole(values["handicappedParkingSpots"])
        if values.get("handicappedParkingSpots") is not None
        else -1,
    )


def _from_parkapi(lot: Mapping[str, Any], city: str) -> ListedCarPark:
    coords = lot.get("coords") or {}
    entity = str(lot.get("id") or lot.get("name"))
    return ListedCarPark(
        id=entity if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", entity) else f"{city}-{_slug(entity)}",
        entity=entity,
        name=str(lot.get("name") or entity),
        lat_deg=_degrees(coords.get("lat")),
        lon_deg=_degrees(coords.get("lng")),
        capacity=_whole(lot.get("total")),
        kind=_kind(str(lot.get("lot_type") or "")),
        park_and_ride="P+R" in str(lot.get("name")) or "Park-Ride" in str(lot.get("lot_type")),
        opening_hours="",
        max_height_m=None,
        disabled_capacity=-1,
    )


def _whole(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) and 0 < value < 100_000 else 0


def _degrees(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _kind(text: str) -> str:
    lowered = text.lower()
    return next((kind for word, kind in _KINDS.items() if word in lowered), "unknown")


def _number(site: str) -> str:
    """``P1`` and ``P01`` are one car park."""
    match = re.fullmatch(r"([A-Za-z]+)(\d)", site)
    return f"{match[1]}0{match[2]}" if match else site


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "car-park"
