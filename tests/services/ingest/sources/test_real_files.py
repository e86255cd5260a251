"""Real feed files decode without crashing, and bring what is in them."""

import pytest

from services.common.records import Event, Observation, TripUpdate
from services.ingest.sources import decode
from services.ingest.sources.base import SourceContext
from services.ingest.sources.gtfs_index import GtfsIndex
from services.ingest.sources.times import parse_time
from tests.builders.shared_data import porto, shared


@pytest.mark.slow
def test_every_gtfs_rt_file_decodes() -> None:
    """All real GTFS-RT files get a verdict at the time of their header, most of them with records."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415
    from google.transit import gtfs_realtime_pb2 as rt  # noqa: PLC0415

    files = [path for path in sorted(shared("feeds/gtfs_rt").rglob("*.pb")) if path.stat().st_size < 2 << 20]
    assert len(files) > 20
    with_records = 0
    for path in files:
        body = path.read_bytes()
        try:
            now = int(rt.FeedMessage.FromString(body).header.timestamp) or 1_700_000_000
        except DecodeError:
            assert decode("gtfs-rt", body, SourceContext("f", 1_700_000_000)).verdict == "reject"
            continue
        with_records += bool(decode("gtfs-rt", body, SourceContext("f", now)).records)
    assert with_records > 0.7 * len(files)


def test_caltrain_trips_are_found_in_their_timetable() -> None:
    """Trip updates of a real series match the static feed published with them."""
    from google.transit import gtfs_realtime_pb2 as rt  # noqa: PLC0415

    body = shared("feeds/gtfs_rt/gtfs_rt_caltrain/ct-trip-updates.pb").read_bytes()
    now = int(rt.FeedMessage.FromString(body).header.timestamp)
    static = GtfsIndex.build(shared("feeds/gtfs_rt/gtfs_rt_caltrain/ct.zip").read_bytes(), now)
    decoded = decode("gtfs-rt", body, SourceContext("f", now, "America/Los_Angeles", static=static))
    trips = [record for record in decoded.records if isinstance(record, TripUpdate)]
    assert trips
    assert all(static.find_trip(record.trip_id) for record in trips if record.relationship == "SCHEDULED")
    assert any(stop.arrival_delay_s is not None for record in trips for stop in record.stop_times)


def test_finnish_situations_of_datex2_v2_and_v3() -> None:
    """Real situations become events; those with Alert-C only are flagged as without location."""
    events = 0
    for path in sorted(shared("feeds/datex2_v3/fi").glob("*.xml")):
        stated = path.read_text("utf-8").partition("publicationTime>")[2].partition("<")[0]
        if not stated[:4].isdigit():
            continue  # a template, filled in by its own project's tests
        decoded = decode("datex2", path.read_bytes(), SourceContext("f", (parse_time(stated, "UTC") or 0) + 1))
        assert decoded.verdict != "reject", (path.name, decoded.findings)
        events += sum(isinstance(record, Event) for record in decoded.records)
    assert events > 20


def test_heidelberg_garages() -> None:
    """The live snapshot of Heidelberg (NGSI) gives free spaces of its garages."""
    body = shared("heidelberg/parking/heidelberg.json").read_bytes()
    moment = parse_time("2024-06-08T13:26:00Z", "UTC") or 0
    decoded = decode("parking-parkapi", body, SourceContext("f", moment, "Europe/Berlin"))
    free = {r.entity: r.value for r in decoded.records if isinstance(r, Observation) and r.kind == "free_spaces"}
    assert decoded.verdict != "reject"
    assert len(free) >= 20
    assert free["urn:ngsiv2:OffStreetParking:P00"] == 1


def test_porto_bus_of_the_live_feed() -> None:
    """The published example of Porto's live feed is read whole."""
    body = shared("feeds/ngsi/porto_buses_ngsiv2.json").read_bytes()
    moment = parse_time("2025-10-25T12:29:10Z", "UTC") or 0
    decoded = decode("ngsi-vehicles", body, SourceContext("f", moment))
    assert decoded.verdict == "accept"
    assert decoded.records[0].entity == "urn:ngsi-ld:Vehicle:porto:stcp:bus:3373"


@pytest.mark.parametrize("name", ["siri-et-gir-npe.xml", "siri-et-from-bnr.xml"])
def test_norwegian_siri_et(name: str) -> None:
    """Real SIRI ET of 2 MB gives trip updates within a few seconds."""
    path = shared(f"feeds/siri/{name}")
    stated = path.read_text("utf-8").partition("ResponseTimestamp>")[2].partition("<")[0]
    decoded = decode("siri-et", path.read_bytes(), SourceContext("f", (parse_time(stated, "Europe/Oslo") or 0) + 1))
    assert decoded.verdict != "reject", decoded.findings
    assert sum(isinstance(record, TripUpdate) for record in decoded.records) > 10


@pytest.mark.parametrize("name", ["metro_do_porto_gtfs.zip", "cp_porto_crop_gtfs.zip"])
def test_the_embedded_citys_timetables_pass_the_intake_check(name: str) -> None:
    """The feeds of Porto are accepted, with warnings at most."""
    assert decode("gtfs", porto(name).read_bytes(), SourceContext("f", 1_785_200_000)).verdict != "reject"
