"""Checks that several tables of `city.toml` share; all raise `FieldProblemError`."""

import re

from services.city.table_reader import FieldProblemError

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_id(name: str, value: str) -> None:
    """Refuse what is no id."""
    if not _ID.fullmatch(value):
        raise FieldProblemError(name, f"{value!r} must be 1 to 64 of a-z, 0-9, - and _, and start with a letter or digit")


def check_unique(table: str, ids: list[str]) -> None:
    """Refuse an id that a table uses twice."""
    for i, value in enumerate(ids):
        if value in ids[:i]:
            raise FieldProblemError(f"{table}[{i}].id", f"{value!r} is used twice: give every entry its own id")


def check_file(value: str) -> None:
    """Refuse what is no path of a file."""
    if not value or "\0" in value:
        raise FieldProblemError("file", "is empty: give the path of a file")


def check_url(name: str, value: str) -> None:
    """Refuse what is no web address; empty = none."""
    if value and not re.match(r"https?://[^\s/]+", value):
        raise FieldProblemError(name, f"{value!r} must start with https:// or http://")


def check_sha256(value: str) -> None:
    """Refuse what is no digest; empty = none."""
    if value and not _SHA256.fullmatch(value):
        raise FieldProblemError("sha256", f"{value!r} must be 64 hexadecimal digits (a-f in lower case)")


def check_position(lat: float | None, lon: float | None) -> None:
    """Refuse degrees that are not on Earth."""
    if lat is not None and not -90 <= lat <= 90:
        raise FieldProblemError("lat", f"{lat} is not between -90 and 90")
    if lon is not None and not -180 <= lon <= 180:
        raise FieldProblemError("lon", f"{lon} is not between -180 and 180")
