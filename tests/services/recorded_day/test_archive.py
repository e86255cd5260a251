"""The archive in the repository: valid in its standards, labelled as simulated, small, and the same when made again."""

import datetime as dt
import shutil
from pathlib import Path

import pytest
from google.transit import gtfs_realtime_pb2 as rt
from lxml import etree

from services.city.config import read_city
from services.common.records import Event, Observation, TripUpdate, VehiclePosition
from services.ingest.feed import ADAPTERS
from services.ingest.sources import decode
from services.ingest.sources.base import SourceContext
from services.recorded_day.archive import Archive, FrameReader, RecordedFeed, read_archive, write_feed
from services.recorded_day.errors import RecordedDayError
from services.recorded_day.generate import simulate_day, writers
from tests.builders.shared_data import ROOT, shared

CITY = ROOT / "cities" / "porto"
MOMENT = 8 * 3600 + 1800


@pytest.fixture(scope="module")
def archive() -> Archive:
    """The committed recorded day."""
    return read_archive(CITY / "recorded_day")


def at(archive: Archive, feed_id: str, local_s: int = MOMENT) -> tuple[RecordedFeed, bytes, int]:
    """Feed, body and unix time of the frame at a time of day."""
    feed = archive.find_feed(f"/{feed_id}")
    assert feed is not None
    moment = archive.begins_at - 7 * 3600 + local_s
    index = (moment - feed.begins_at) // feed.step_s if feed.step_s else 0
    return feed, FrameReader(archive).frame(feed, index), moment


def test_it_is_small_and_covers_the_window(archive: Archive) -> None:
    """At most 5 MB for 07:00 to 10:30 of the reference day."""
    size = sum(path.stat().st_size for path in archive.folder.iterdir())
    assert size <= 5 << 20
    assert archive.ends_at - archive.begins_at == 3 * 3600 + 1800
    assert dt.datetime.fromtimestamp(archive.begins_at, dt.UTC).strftime("%Y-%m-%dT%H:%M") == "2026-07-28T06:00"
    assert archive.begins_at < archive.suggested_start < archive.ends_at


def test_every_feed_of_the_city_is_there_and_is_accepted(archive: Archive) -> None:
    """Each recorded feed that `city.toml` names exists, and its adapter accepts it with the kinds of records expected."""
    expected = {
        "stcp-vehicles": VehiclePosition, "stcp-trip-updates": TripUpdate, "metro-trip-updates": TripUpdate,
        "porto-parking": Observation, "porto-traffic": Observation, "porto-situations": Event, "porto-detectors": Observation,
    }  # fmt: skip
    for row in read_city(CITY).feeds:
        feed, body, moment = at(archive, row.recorded)
        decoded = decode(ADAPTERS[row.kind], body, SourceContext(row.id, moment + 2, "Europe/Lisbon"))
        assert decoded.verdict != "reject", decoded.findings
        assert feed.kind == row.kind
        if row.id in expected:
            assert any(isinstance(record, expected[row.id]) for record in decoded.records), row.id


def test_every_file_says_that_it_is_simulated(archive: Archive) -> None:
    """A label stands in each file, in the place its format has."""
    for feed in archive.feeds:
        _, body, _ = at(archive, feed.feed_id)
        assert b"sim" in body.lower(), feed.feed_id
    assert "simulated" in archive.note


def test_datex_frames_are_valid_against_the_schema(archive: Archive, tmp_path: Path) -> None:
    """DATEX II v3.5: site tables, measured data and situations validate."""
    for path in shared("feeds/datex2_v3/schema").glob("announcements__3_5__*.xsd"):
        shutil.copy(path, tmp_path / path.name.rpartition("__")[2])
    schema = etree.XMLSchema(etree.parse(str(tmp_path / "DATEXII_3_D2Payload.xsd")))
    count = 0
    for feed in archive.feeds:
        if feed.content_type == "application/xml":
            document = etree.fromstring(at(archive, feed.feed_id)[1])
            assert schema.validate(document), (feed.feed_id, schema.error_log)
            count += 1
    assert count == 5


def test_gtfs_rt_frames_are_complete_messages(archive: Archive) -> None:
    """Required fields are set, ids unique, times fresh, trips dated."""
    for feed_id in ("stcp-trip-updates", "metro-trip-updates", "stcp-alerts"):
        _, body, moment = at(archive, feed_id)
        message = rt.FeedMessage.FromString(body)
        assert message.IsInitialized()
        assert 0 <= moment - message.header.timestamp <= 300
        assert len({entity.id for entity in message.entity}) == len(message.entity) > 0
        for entity in message.entity:
            if entity.HasField("trip_update"):
                assert entity.trip_update.trip.start_date == "20260728"


def test_the_blocked_street_begins_on_time(archive: Archive) -> None:
    """No situation and no alert before 08:15; both after; the car parks fill meanwhile."""
    early, late = 8 * 3600, 8 * 3600 + 1200

    def count(feed_id: str, adapter: str, local_s: int) -> int:
        _, body, moment = at(archive, feed_id, local_s)
        return len(decode(adapter, body, SourceContext("f", moment, "Europe/Lisbon")).records)

    assert [count("porto-situations", "datex2", t) for t in (early, late)] == [0, 1]
    assert [count("stcp-alerts", "gtfs-rt", t) for t in (early, late)] == [0, 1]

    def free(local_s: int) -> float:
        _, body, moment = at(archive, "porto-parking", local_s)
        records = decode("parking-parkapi", body, SourceContext("f", moment, "Europe/Lisbon")).records
        return sum(r.value for r in records if isinstance(r, Observation) and r.kind == "free_spaces")

    assert free(7 * 3600) > 1.3 * free(10 * 3600)


@pytest.mark.slow
def test_made_again_it_is_the_same(archive: Archive, porto_snapshot) -> None:  # type: ignore[no-untyped-def]
    """A frame of every feed, generated from the city's timetable and streets, equals the committed one bit by bit."""
    day = simulate_day(read_city(CITY), porto_snapshot.timetable, porto_snapshot.street)
    for feed_id, _, _, step, _, make in writers(day):
        feed, body, _ = at(archive, feed_id)
        index = (MOMENT - 7 * 3600) // step if step else 0
        assert make(feed.begins_at + index * step if step else feed.begins_at - 3600) == body, feed_id


def test_blocks_are_read_back_and_damage_is_told(tmp_path: Path) -> None:
    """Frames come back over block borders; a damaged or missing archive is a clear error."""
    frames = [f"frame {i}".encode() for i in range(130)]
    feed = write_feed(tmp_path, "f", "parkapi", "text/plain", 10, 0, frames)
    archive = Archive(tmp_path, "c", "simulated", 0, 1290, 0, (feed,), {})
    reader = FrameReader(archive)
    assert [reader.frame(feed, i) for i in (0, 59, 60, 129, 1)] == [frames[i] for i in (0, 59, 60, 129, 1)]
    (tmp_path / "f.xz").write_bytes(b"nonsense")
    with pytest.raises(RecordedDayError, match="damaged"):
        FrameReader(archive).frame(feed, 0)
    with pytest.raises(RecordedDayError, match="generate"):
        read_archive(tmp_path)
