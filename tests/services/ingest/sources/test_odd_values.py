"""Values that fit the format and no sense: they cost an entity or a field, never the adapter."""

import json

import pytest
from google.transit import gtfs_realtime_pb2 as rt

from services.common.live.alerts import build_alerts
from services.common.records import Alert, TripUpdate
from services.common.state.codec import decode_latest, encode_latest
from services.ingest.sources import registry
from services.ingest.sources.base import Decoded
from services.ingest.sources.registry import decode
from services.journeys.alerts_mapping import alert_to_proto
from tests.builders.feeds import NOW, context

SITUATION = b"""<d2LogicalModel xmlns="http://datex2.eu/schema/2/2_0" modelBaseVersion="2">
<payloadPublication xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="SituationPublication">
<publicationTime>2026-03-10T07:59:00+01:00</publicationTime>
<situation id="s"><situationRecord id="r" version="\xc2\xb2"/></situation></payloadPublication></d2LogicalModel>"""


def _message() -> rt.FeedMessage:
    message = rt.FeedMessage()
    message.header.gtfs_realtime_version, message.header.timestamp = "2.0", NOW
    return message


def _trip(**fields: object) -> Decoded:
    """Answer to one trip update; `fields` are those of its TripDescriptor, and `delay`."""
    message = _message()
    update = message.entity.add(id="e").trip_update
    update.trip.trip_id = "t"
    if "delay" in fields:
        update.delay = fields.pop("delay")  # type: ignore[assignment]
    for name, value in fields.items():
        setattr(update.trip, name, value)
    update.stop_time_update.add(stop_sequence=1).arrival.time = NOW
    return decode("gtfs-rt", message.SerializeToString(), context())


@pytest.mark.parametrize("start_time", ["1²:00:00", "9" * 30 + ":00:00", "99999999:00:00", "1:2", ":::"])
def test_an_impossible_start_time_is_as_none(start_time: str) -> None:
    """Superscript digits and hours beyond all measure are no time, and what is kept can be stored."""
    answer = _trip(start_time=start_time)
    (record,) = decode_latest(encode_latest(answer.records).values())
    assert isinstance(record, TripUpdate)
    assert record.start_time_s is None


def test_a_start_date_that_is_no_date_is_said_and_not_used() -> None:
    """`20269999` has eight digits and is no day."""
    answer = _trip(start_date="20269999", schedule_relationship=rt.TripDescriptor.ADDED)
    assert answer.counts == {"invalid_date": 1}
    assert [record.start_date for record in answer.records if isinstance(record, TripUpdate)] == ["20260310"]


def test_an_impossible_delay_of_a_trip_is_said_and_not_used() -> None:
    """68 years late is a fault of the sender."""
    answer = _trip(delay=2**31 - 1)
    assert answer.counts == {"value_out_of_range": 1}
    assert [record.delay_s for record in answer.records if isinstance(record, TripUpdate)] == [None]


@pytest.mark.parametrize("time", [2**62, -(2**62), 0, 4_102_444_801])
def test_an_impossible_predicted_time_drops_the_stop_update(time: int) -> None:
    """Milliseconds for seconds, and worse."""
    message = _message()
    update = message.entity.add(id="e").trip_update
    update.trip.trip_id = "t"
    update.stop_time_update.add(stop_sequence=1).arrival.time = time
    answer = decode("gtfs-rt", message.SerializeToString(), context())
    assert answer.counts == {"value_out_of_range": 1}
    assert [record.stop_times for record in answer.records if isinstance(record, TripUpdate)] == [()]


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        (0, 2**64 - 1, (None, None)),
        (NOW, 2**63, (NOW, None)),
        (2**64 - 1, 0, (4_102_444_800, None)),
        (5, NOW + 9, (5, NOW + 9)),
    ],
)
def test_an_alert_for_ever_can_be_answered(start: int, end: int, kept: tuple[int | None, int | None]) -> None:
    """Publishers write "for ever" as the largest number there is; the contract's times are signed."""
    message = _message()
    alert = message.entity.add(id="a").alert
    period = alert.active_period.add()
    period.start, period.end = start, end
    answer = decode("gtfs-rt", message.SerializeToString(), context())
    (record,) = answer.records
    assert isinstance(record, Alert)
    assert record.active_periods == (kept,)
    shown = alert_to_proto(build_alerts([record], {}, 1, NOW).alerts[0], ())
    assert shown.active_periods[0].end_unix_s == (kept[1] or 0)


@pytest.mark.parametrize(
    ("kind", "body", "verdict"),
    [
        (
            "parking-parkapi",
            b'{"last_updated": "2026-03-10T06:59:00", "lots": [{"id": "p", "free": %s}]}' % (b"1" * 400),
            "accept_warn",
        ),
        ("gbfs-status", b'{"last_updated": %s, "data": {"stations": []}}' % (b"9" * 400), "accept_warn"),
        ("datex2", SITUATION, "accept_warn"),
    ],
)
def test_numbers_that_no_machine_number_holds(kind: str, body: bytes, verdict: str) -> None:
    """Hundreds of digits in JSON, superscripts in XML: the value is dropped, the delivery lives."""
    answer = decode(kind, body, context())
    assert answer.verdict == verdict
    assert "adapter_error" not in answer.counts


def test_what_nobody_foresaw_is_a_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter that raises costs the delivery, with a documented code, and no more."""
    monkeypatch.setitem(registry.KINDS, "waze-ccp", lambda body, _: json.loads(body)["no such key"])
    answer = decode("waze-ccp", b"{}", context())
    assert (answer.verdict, answer.counts) == ("reject", {"adapter_error": 1})
    assert "KeyError" in answer.findings[0].message
