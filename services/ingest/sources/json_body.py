"""JSON bodies: bounded, UTF-8, duplicate keys noticed."""

import json
from typing import Any

import msgspec

from services.ingest.errors import FeedRejected
from services.ingest.limits import forbid_html
from services.ingest.sources.base import Findings

DUPLICATE_CHECK_BYTES = 4 << 20
"""Larger bodies are not searched for duplicate keys (a second parse, in pure Python objects)."""


def parse_json(body: bytes, findings: Findings) -> Any:
    """Python objects of a JSON body.

    Raises
    ------
    FeedRejected
        `invalid_utf8` or `decode_error` (also for nesting beyond the parser's bound).
    """
    forbid_html(body)
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FeedRejected("invalid_utf8", f"JSON must be UTF-8: {error.reason} at byte {error.start}") from error
    try:
        value = msgspec.json.decode(body)
        if len(body) <= DUPLICATE_CHECK_BYTES:
            json.loads(body, object_pairs_hook=lambda pairs: _note_duplicates(pairs, findings))
    except (msgspec.DecodeError, json.JSONDecodeError, RecursionError) as error:
        raise FeedRejected("decode_error", f"not JSON: {error}") from error
    return value


def _note_duplicates(pairs: list[tuple[str, Any]], findings: Findings) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        keys = [key for key, _ in pairs]
        doubled = next(key for key in keys if keys.count(key) > 1)
        findings.add("duplicate_json_key", f"key {doubled!r} stands twice in one object: the last one wins")


def number(value: Any) -> float | None:
    """A finite float of a JSON number (or numeric text), else None."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):  # a JSON integer may have any number of digits
        return None
    return found if abs(found) < 1e15 else None


def whole(value: Any) -> int | None:
    """A JSON number as int where it is whole, else None."""
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def require(condition: bool, message: str) -> None:
    """Raise `FeedRejected` (`schema_error`) unless `condition` holds."""
    if not condition:
        raise FeedRejected("schema_error", message)
