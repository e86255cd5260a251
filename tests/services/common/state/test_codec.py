"""Records as bytes: all kinds come back equal; what cannot be read is said clearly."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import CorruptData
from services.common.records import Alert, AnyRecord, Event, InformedEntity, VehiclePosition
from services.common.state.codec import DIGEST_BYTES, decode, decode_latest, decode_record, encode, encode_latest
from services.common.state.keys import Keys
from tests.builders.drawn_records import PROVENANCE, speed, trip_update

_COMMON = {"feed": "f", "observed_at": 1, "received_at": 2, "valid_until": 3, "provenance": PROVENANCE}
RECORDS: list[AnyRecord] = [
    speed("a", 31.5),
    trip_update("t", 60),
    Event(entity="e", kind="closure", version=2, starts_at=None, ends_at=9, path=((41.1, -8.6), (41.2, -8.5)), **_COMMON),
    Alert(
        entity="al",
        cause="STRIKE",
        effect="NO_SERVICE",
        informed=(InformedEntity(route_id="R"),),
        header={"pt": "Greve"},
        **_COMMON,
    ),
    VehiclePosition(entity="v", static_feed="g", vehicle_id="3001", lat=41.1, lon=-8.6, delay_s=-4, **_COMMON),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_every_kind_of_record_comes_back_equal(record: AnyRecord) -> None:
    """Both as a plain value and as a latest value."""
    assert decode_record(encode(record)) == record
    assert decode_latest(encode_latest([record]).values()) == [record]


@settings(max_examples=50)
@given(st.recursive(st.none() | st.integers(-(2**60), 2**60) | st.text() | st.binary(), st.lists, max_leaves=5))
def test_plain_values_come_back_equal(value: object) -> None:
    """What services put into documents and events is not changed."""
    assert decode(encode(value)) == value


def test_the_digest_covers_what_is_said_not_when_it_came() -> None:
    """A record received again from another file has the same digest; another value has not."""
    first, again, other = (
        next(iter(encode_latest([record]).values()))[:DIGEST_BYTES]
        for record in (speed("a", 30.0), speed("a", 30.0, received_at=777, url="http://feed/y"), speed("a", 30.1))
    )
    assert first == again != other


@pytest.mark.parametrize("data", [b"", b"\x02\x90", b"\x01\xc1", b"\x01" + msgspec.msgpack.encode({"type": "Nothing"})])
def test_unreadable_bytes_are_an_error_of_their_own(data: bytes) -> None:
    """Another version, damage and unknown kinds are CorruptData."""
    with pytest.raises(CorruptData):
        decode_record(data)


def test_names_cannot_break_out_of_their_part_of_a_key() -> None:
    """Colons and spaces in feed names are escaped, so no two feeds share a key."""
    keys = Keys("porto")
    assert keys.latest("a", "b:c") != keys.latest("a:b", "c")
    assert keys.latest("speeds", "stcp rt").startswith("latest:porto:speeds:stcp%20")
    assert keys.documents("signals/modes") == "signals:porto:modes"
