"""Encoded polylines, precision 5 (the published encoded polyline algorithm format)."""

from collections.abc import Iterable

_SCALE = 1e5


def encode(points: Iterable[tuple[float, float]]) -> str:
    """Encode (latitude, longitude) pairs in degrees."""
    out: list[str] = []
    last_lat = last_lon = 0
    for lat_deg, lon_deg in points:
        lat, lon = round(lat_deg * _SCALE), round(lon_deg * _SCALE)
        _append(out, lat - last_lat)
        _append(out, lon - last_lon)
        last_lat, last_lon = lat, lon
    return "".join(out)


def decode(text: str) -> list[tuple[float, float]]:
    """Decode to (latitude, longitude) pairs in degrees.

    Raises
    ------
    ValueError
        If the text ends within a number or holds half a point.
    """
    numbers: list[int] = []
    value = shift = 0
    for character in text:
        chunk = ord(character) - 63
        if not 0 <= chunk < 64:
            raise ValueError(f"{character!r} does not belong in an encoded polyline")
        value |= (chunk & 31) << shift
        shift += 5
        if chunk < 32:
            numbers.append(~(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    if shift or len(numbers) % 2:
        raise ValueError("the encoded polyline ends too early")
    points, lat, lon = [], 0, 0
    for i in range(0, len(numbers), 2):
        lat, lon = lat + numbers[i], lon + numbers[i + 1]
        points.append((lat / _SCALE, lon / _SCALE))
    return points


def _append(out: list[str], difference: int) -> None:
    value = ~(difference << 1) if difference < 0 else difference << 1
    while value >= 32:
        out.append(chr((32 | value & 31) + 63))
        value >>= 5
    out.append(chr(value + 63))
