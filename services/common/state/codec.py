"""Records as bytes: one version byte, then msgpack.

A stored latest value is ``digest(16) + envelope length(2) + envelope + record``. The envelope says when and in which file
the record arrived; the digest covers only what the record says, so a feed that repeats itself changes nothing.
"""

import hashlib
from collections.abc import Iterable
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


def encode_latest(records: Iterable[AnyRecord]) -> dict[str, bytes]:
    """Stored form of latest values by entity; the last record of an entity counts."""
    blobs: dict[str, bytes] = {}
    envelopes: dict[tuple[int, int], bytes] = {}
    replace, serialize, blake2b = msgspec.structs.replace, _encoder.encode, hashlib.blake2b
    for record in records:
        # Records of one file share one provenance object.
        known = (record.received_at, id(record.provenance))
        if (envelope := envelopes.get(known)) is None:
            packed = serialize((record.received_at, record.provenance))
            envelope = envelopes[known] = len(packed).to_bytes(2, "big") + packed
        content = _VERSION_BYTE + serialize(replace(record, received_at=0, provenance=_NO_PROVENANCE))
        blobs[record.entity] = blake2b(content, digest_size=DIGEST_BYTES).digest() + envelope + content
    return blobs


def decode_latest(blobs: Iterable[bytes]) -> list[AnyRecord]:
    """Records of stored latest values."""
    envelopes: dict[bytes, tuple[int, Provenance]] = {}
    records = []
    for data in blobs:
        end = DIGEST_BYTES + 2 + int.from_bytes(data[DIGEST_BYTES : DIGEST_BYTES + 2], "big")
        packed = data[DIGEST_BYTES + 2 : end]
        if (envelope := envelopes.get(packed)) is None:
            envelope = envelopes[packed] = msgspec.msgpack.decode(packed, type=tuple[int, Provenance])
        record = decode_record(data[end:])
        records.append(msgspec.structs.replace(record, received_at=envelope[0], provenance=envelope[1]))
    return records


def _body(data: bytes) -> memoryview:
    if not data or data[0] != VERSION:
        found = data[0] if data else "nothing"
        raise CorruptData(
            f"stored bytes have format version {found}, this program reads {VERSION}; use the program that wrote them"
        )
    return memoryview(data)[1:]
