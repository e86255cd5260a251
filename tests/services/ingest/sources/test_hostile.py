"""Nothing a publisher sends makes an adapter crash, hang or grow: bombs, entities, nesting, random bytes."""

import gzip
import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.records import Alert, TripUpdate, VehiclePosition
from services.ingest.limits import Limits
from services.ingest.sources import KINDS, decode
from tests.builders.feeds import NOW, context, parkapi, trip_updates

LAUGHS = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><d2LogicalModel>&b;</d2LogicalModel>'


@settings(max_examples=40)
@given(kind=st.sampled_from(sorted(KINDS)), body=st.binary(max_size=200))
def test_random_bytes_never_raise(kind: str, body: bytes) -> None:
    """Whatever the bytes, there is a verdict; a rejection brings no records."""
    decoded = decode(kind, body, context())
    assert decoded.verdict in {"accept", "accept_warn", "reject"}
    assert decoded.verdict != "reject" or (not decoded.records and decoded.findings)


@settings(max_examples=40)
@given(cut=st.integers(0, 300), flip=st.integers(0, 300), value=st.integers(0, 255))
def test_damaged_real_bodies_never_raise(cut: int, flip: int, value: int) -> None:
    """A good body, cut and with one byte changed, is judged, not crashed on."""
    for kind, good in (("gtfs-rt", trip_updates(("T1", 60), ("T2", 5))), ("parking-parkapi", parkapi(5))):
        body = bytearray(good)
        body[flip % len(body)] = value
        decode(kind, bytes(body[: len(body) - cut % len(body)]), context())


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("datex2", LAUGHS, "doctype_forbidden"),
        ("datex2", b"<a>" * 200 + b"</a>" * 200, "xml_limit"),
        ("datex2", b"<a " + b"x" * 70_000 + b"='1'/>", "xml_limit"),
        ("datex2", "<a/>".encode("utf-16"), "invalid_utf8"),
        ("datex2", b"<html><body>no</body></html>", "decode_error"),
        ("siri-et", b"<Siri xmlns='http://www.siri.org.uk/siri' version='3.0'/>", "unsupported_version"),
        ("parking-parkapi", b'{"lots": "\xff"}', "invalid_utf8"),
        ("parking-parkapi", b'{"lots": 5}', "schema_error"),
        ("parking-parkapi", b"[" * 100_000, "decode_error"),
        ("gbfs-status", b"  \n ", "empty_body"),
        ("gtfs-rt", gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "gzip_limit"),
        ("gtfs-rt", gzip.compress(b"\0" * (8 << 20), mtime=0), "gzip_limit"),
        ("gtfs-rt", b"\x1f\x8b\x08broken", "decode_error"),
        ("gtfs", b"PK\x03\x04not a zip", "bad_zip"),
    ],
)
def test_rejected_with_code(kind: str, body: bytes, code: str) -> None:
    """Each attack is refused with its documented code."""
    decoded = decode(kind, body, context())
    assert decoded.verdict == "reject"
    assert decoded.codes == (code,)


def test_zip_bomb_path_and_count_are_refused() -> None:
    """Archives that unpack to too much, lead outside, or hold too many entries are refused before unpacking."""
    limits = Limits(zip_bytes=1 << 20, zip_entries=3)

    def packed(*entries: tuple[str, bytes]) -> bytes:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in entries:
                archive.writestr(name, content)
        return target.getvalue()

    bombs = {
        "zip_limit": packed(("stops.txt", b"\0" * (4 << 20))),
        "zip_path": packed(("../stops.txt", b"x")),
    }
    for code, body in bombs.items():
        assert decode("gtfs", body, context(limits=limits)).codes == (code,)
    many = packed(*((f"{i}.txt", b"") for i in range(4)))
    assert decode("gtfs", many, context(limits=limits)).codes == ("zip_limit",)


def test_too_large_body_is_not_parsed() -> None:
    """The size limit comes first."""
    assert decode("gtfs-rt", b"x" * 101, context(limits=Limits(body_bytes=100))).codes == ("too_large",)


def test_plates_and_user_names_are_dropped() -> None:
    """Nothing of a plate, a driver or a reporter reaches a record."""
    body = (
        b'[{"id":"urn:v:1","type":"Vehicle","vehiclePlateIdentifier":{"type":"Text","value":"AA-00-ZZ"},'
        b'"location":{"type":"geo:json","value":{"type":"Point","coordinates":[-8.6,41.15]}},'
        b'"annotations":{"type":"Array","value":["stcp%3Aroute%3A302","stcp:sentido:1"]},'
        b'"heading":{"type":"Number","value":98},"observationDateTime":{"type":"DateTime","value":"2026-03-10T07:00:00Z"}}]'
    )
    decoded = decode("ngsi-vehicles", body, context())
    (vehicle,) = decoded.records
    assert isinstance(vehicle, VehiclePosition)
    assert (vehicle.route_id, vehicle.direction_id, vehicle.bearing_deg) == ("302", 1, 98.0)
    assert "AA-00-ZZ" not in repr(decoded)


def test_staleness_is_judged_per_entity() -> None:
    """A fresh header does not make an old trip fresh; the fresh one beside it is kept."""
    from google.transit import gtfs_realtime_pb2 as rt  # noqa: PLC0415

    message = rt.FeedMessage.FromString(trip_updates(("OLD", 60), ("NEW", 60)))
    message.entity[0].trip_update.timestamp = NOW - 7200
    decoded = decode("gtfs-rt", message.SerializeToString(), context())
    assert [r.trip_id for r in decoded.records if isinstance(r, TripUpdate)] == ["NEW"]
    assert decoded.counts == {"stale_entity": 1}


def test_long_markup_becomes_short_plain_text() -> None:
    """Texts of alerts are stripped of markup and capped."""
    from google.transit import gtfs_realtime_pb2 as rt  # noqa: PLC0415

    message = rt.FeedMessage.FromString(trip_updates())
    alert = message.entity.add(id="a").alert
    alert.informed_entity.add(route_id="R")
    alert.header_text.translation.add(text="<b>Works</b> &amp; more" + "<script>x</script>" * 2000, language="en")
    (record,) = decode("gtfs-rt", message.SerializeToString(), context()).records
    assert isinstance(record, Alert)
    assert record.header["en"].startswith("Works & more")
    assert "<" not in record.header["en"]
    assert len(record.header["en"]) <= 4000
