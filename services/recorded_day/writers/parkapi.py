"""ParkAPI v1 writer: car parks that fill."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from services.recorded_day.demand import congestion, smooth_noise, stream
from services.recorded_day.writers import NOTE


@dataclass(frozen=True, slots=True)
class SimulatedCarPark:
    """A car park of the feed."""

    entity: str
    name: str
    lat: float | None
    lon: float | None
    capacity: int
    park_and_ride: bool


def free_spaces(park: SimulatedCarPark, local_s: float, unix_s: int) -> int:
    """Free spaces: commuters fill park-and-ride early, town fills until noon."""
    base = 0.25 + 0.2 * stream("parking", park.entity).random()
    top = 0.80 + 0.22 * stream("parking", park.entity, "top").random()
    hour = local_s / 3600
    begin, end = (6.25, 9.25) if park.park_and_ride else (7.25, 11.0)
    filled = min(max((hour - begin) / (end - begin), 0.0), 1.0)
    evening = min(max((hour - 16.5) / 4, 0.0), 1.0)
    share = base + (top - base) * filled * (1 - evening)
    share += 0.02 * smooth_noise(f"parking:{park.entity}", unix_s, 900) * (0.3 + congestion(local_s))
    return max(0, min(park.capacity, round(park.capacity * (1 - share))))


def to_bytes(parks: list[SimulatedCarPark], local_s: float, unix_s: int) -> bytes:
    """Body of a ParkAPI v1 city; times are UTC without a zone, as its contract says."""
    stamp = datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    lots = []
    for park in parks:
        free = free_spaces(park, local_s, unix_s)
        lot: dict[str, object] = {
            "id": park.entity, "name": park.name, "lot_type": "P+R" if park.park_and_ride else "Parque", "total": park.capacity,
            "free": free, "state": "open" if free else "full", "forecast": False,
        }  # fmt: skip
        if park.lat is not None and park.lon is not None:
            lot["coords"] = {"lat": park.lat, "lng": park.lon}
        lots.append(lot)
    body = {"data_source": NOTE, "last_downloaded": stamp, "last_updated": stamp, "lots": lots}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
