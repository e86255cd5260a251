"""What a body may cost before anything parses it: size, gzip, HTML answers, XML and JSON guards."""

import gzip
import io
import re
import zlib
from dataclasses import dataclass

from services.ingest.errors import FeedRejected

GZIP_MAGIC = b"\x1f\x8b"
_HTML = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one body.

    Attributes
    ----------
    body_bytes : int
        Of the body as it came, and after unpacking gzip once.
    gzip_ratio : int
        Of unpacked to packed bytes, judged above 1 MiB unpacked.
    entities : int
        Entities read from one body.
    text_chars : int
        Of one text kept in a record.
    xml_tag_bytes, xml_depth, xml_elements : int
        Of one tag with its attributes; of nesting; of all elements.
    zip_entries, zip_bytes, zip_ratio : int
        Of an archive: entries, unpacked bytes, ratio of one entry (judged above 16 MiB unpacked).
    """

    body_bytes: int = 64 << 20
    gzip_ratio: int = 200
    entities: int = 200_000
    text_chars: int = 4_000
    xml_tag_bytes: int = 64 << 10
    xml_depth: int = 64
    xml_elements: int = 3_000_000
    zip_entries: int = 500
    zip_bytes: int = 4 << 30
    zip_ratio: int = 400

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"limit {name} must be positive, got {getattr(self, name)}")


DEFAULT_LIMITS = Limits()
"""Limits used where a feed's configuration says nothing."""

CHUNK = 1 << 16


def open_body(body: bytes, limits: Limits) -> bytes:
    """Check size and emptiness, unwrap one layer of gzip within bounds, refuse HTML; answer the bare body.

    Raises
    ------
    FeedRejected
        `empty_body`, `too_large`, `gzip_limit` or `decode_error`.
    """
    if not body:
        raise FeedRejected("empty_body", "the body has no bytes")
    if len(body) > limits.body_bytes:
        raise FeedRejected("too_large", f"{len(body)} bytes, the limit is {limits.body_bytes}")
    if body.startswith(GZIP_MAGIC):
        body = _gunzip_once(body, limits)
        if body.startswith(GZIP_MAGIC):
            raise FeedRejected("gzip_limit", "gzip within gzip is not unpacked twice")
    if not body.strip(b" \t\r\n\xef\xbb\xbf\x00"):
        raise FeedRejected("empty_body", "the body has nothing but blanks")
    return body


def forbid_html(body: bytes) -> None:
    """Raise `FeedRejected` (`decode_error`) for an HTML page answered instead of data."""
    if _HTML.match(body[:512]):
        raise FeedRejected("decode_error", "an HTML page was answered instead of data; see whether the address needs a key")


def _gunzip_once(body: bytes, limits: Limits) -> bytes:
    out = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            while chunk := packed.read(CHUNK):
                out.write(chunk)
                size = out.tell()
                if size > limits.body_bytes or (size > 1 << 20 and size > limits.gzip_ratio * len(body)):
                    raise FeedRejected("gzip_limit", f"gzip of {len(body)} bytes unpacks to more than {size - CHUNK} bytes")
    except (OSError, EOFError, zlib.error) as error:
        raise FeedRejected("decode_error", f"broken gzip body: {error}") from error
    return out.getvalue()
