"""Records as bytes: one version byte, then msgpack.

A stored latest value is ``digest(16) + record``: the digest covers what the record says, not when or in which file it
arrived, so a feed that repeats itself changes nothing.
"""

import hashlib
from typing import Any, TypeVar

import msgspec

from services.common.errors import CorruptData
from services.common.records import AnyRecord, Provenance

VERSION = 1
DIGEST_BYTES = 16
_VERSION_BYTE = bytes([VERSION])
_NO_PROVENANCE = Provenance("", "", "")

_encoder = msgspec.msgpack.Encoder()
_record_decoder: msgspec.msgpack.Decoder[AnyRecord] = msgspec.msgpack.Decoder(AnyRecord)

T = TypeVar("T")


def encode(value: Any) -> bytes:
    """Bytes of a record, a msgspec struct, a dataclass or plain containers."""
    return _VERSION_BYTE + _encoder.encode(value)


def decode_record(data: bytes) -> AnyRecord:
    """Record from `encode`'s bytes.

    Raises
    ------
    CorruptData
        If the bytes are of another version or no record.
    """
    body = _body(data)
    try:
        return _record_decoder.decode(body)
    except msgspec.DecodeError as error:
        raise CorruptData(
            f"a stored record cannot be read ({error}); delete the feed's latest state and poll it again"
        ) from None


def decode(data: bytes, cls: type[T] | Any = Any) -> Any:
    """Value of type `cls` (any plain value when left out) from `encode`'s bytes; raises like `decode_record`."""
    body = _body(data)
    try:
        return msgspec.msgpack.decode(body, type=cls)
    except msgspec.DecodeError as error:
        raise CorruptData(f"a stored value of type {getattr(cls, '__name__', cls)} cannot be read: {error}") from None


def encode_latest(record: AnyRecord) -> bytes:
    """Stored form of a latest value: digest of its content, then the record."""
    content = _encoder.encode(msgspec.structs.replace(record, received_at=0, provenance=_NO_PROVENANCE))
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest() + encode(record)


def decode_latest(data: bytes) -> AnyRecord:
    """Record of a stored latest value."""
    return decode_record(data[DIGEST_BYTES:])


def _body(data: bytes) -> memoryview:
    if not data or data[0] != VERSION:
        found = data[0] if data else "nothing"
        raise CorruptData(
            f"stored bytes have format version {found}, this program reads {VERSION}; use the program that wrote them"
        )
    return memoryview(data)[1:]
