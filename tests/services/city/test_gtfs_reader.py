"""GTFS feeds are read into one timetable; what is wrong in them is reported, and only what cannot be used is refused."""

import datetime as dt
import zipfile
from pathlib import Path

import numpy as np
import pytest

from routing.model.timetable import Timetable, index_of
from routing.transit.footpaths import with_footpaths
from services.city.gtfs_reader import GtfsError, GtfsSource, WalkOptions, read_timetable
from services.common.records import Finding
from tests.builders.shared_data import porto, shared

BASE = {
    "agency.txt": "agency_name,agency_url,agency_timezone\nTest,https://example.org,Europe/Lisbon\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon,parent_station,wheelchair_boarding\n"
    "A,Álamo,41.1500,-8.6100,,1\nB,Bolhão,41.1600,-8.6100,S,\nC,Campo,41.1602,-8.6100,S,2\nS,Station,41.1601,-8.6100,,1\n",
    "routes.txt": "route_id,route_short_name,route_type,route_color\nR,10,3,FF8000\n",
    "trips.txt": "route_id,service_id,trip_id,trip_headsign,block_id\nR,W,t1,Campo,b\nR,W,t2,Campo,b\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "t1,8:00:00,8:00:00,A,1\nt1,8:10:00,8:11:00,B,5\nt1,8:12:00,8:12:00,C,7\n"
    "t2,24:30:00,24:30:00,A,1\nt2,24:40:00,24:40:00,C,2\n",
    "calendar_dates.txt": "service_id,date,exception_type\nW,20240730,1\nW,20240731,1\n",
}


def feed(folder: Path, archive_name: str = "feed.zip", /, **files: str | None) -> Path:
    """Write the base feed with some files replaced (None = left out)."""
    path = folder / archive_name
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**BASE, **{key + ".txt": value for key, value in files.items()}}.items():
            if text is not None:
                archive.writestr(file, text)
    return path


def read(path: Path, shift_days: int = 0, walk: WalkOptions | None = None) -> tuple[Timetable, set[str]]:
    """Timetable and codes of the findings."""
    findings: list[Finding] = []
    timetable = read_timetable([GtfsSource("x", path, shift_days)], findings=findings, walk=walk)
    return timetable, {finding.code for finding in findings}


def test_a_small_feed_is_read_in_full(tmp_path: Path) -> None:
    """Names, positions, colours, inheritance, blocks, sequences, times past midnight, and the calendar shifted by 104 weeks."""
    timetable, codes = read(feed(tmp_path), shift_days=728)
    index = index_of(timetable)
    stop = index.stops
    assert codes == set()
    assert list(timetable.stop_names) == ["Álamo", "Bolhão", "Campo", "Station"]
    assert timetable.stop_parent.tolist() == [-1, 3, 3, -1]
    assert timetable.stop_wheelchair.tolist() == [1, 1, 2, 1]
    assert timetable.route_color.tolist() == [0xFF8000]
    assert timetable.date_of_day(0) == dt.date(2026, 7, 28)
    assert timetable.day_start_s[0, 0] == int(dt.datetime(2026, 7, 27, 23, tzinfo=dt.UTC).timestamp())
    assert timetable.trip_block.tolist() == [0, 0]
    (t1,), (t2,) = index.trips["x:t1"], index.trips["x:t2"]
    calls = slice(timetable.first_stop_time[t1], timetable.first_stop_time[t1 + 1])
    assert timetable.stop_sequence[calls].tolist() == [1, 5, 7]
    assert timetable.stops_of_trip(t1).tolist() == [stop["x:A"], stop["x:B"], stop["x:C"]]
    assert timetable.trip_start_s[t2] == 24 * 3600 + 1800
    assert timetable.is_running(t1, 1)
    assert not timetable.is_running(t1, 2)


def test_two_feeds_keep_their_ids_zones_and_shifts(tmp_path: Path) -> None:
    """The same ids in two feeds do not meet; footpaths join them all the same."""
    berlin = feed(tmp_path, "b.zip", agency=BASE["agency.txt"].replace("Lisbon", "Berlin"))
    sources = [GtfsSource("x", feed(tmp_path), 0), GtfsSource("y", berlin, 7)]
    timetable = read_timetable(sources)
    stops = index_of(timetable).stops
    assert timetable.stop_count == 8
    assert timetable.day_count == 9
    assert timetable.day_start_s[0, 0] - timetable.day_start_s[1, 0] == 3600
    reached = timetable.footpath_to[timetable.first_footpath[stops["x:B"]] : timetable.first_footpath[stops["x:B"] + 1]]
    assert {stops["y:B"], stops["y:C"], stops["x:C"]} == set(reached.tolist())
    assert timetable.trip_block.max() == 1
    with pytest.raises(ValueError, match="own id"):
        read_timetable([sources[0], sources[0]])


def test_missing_times_lie_on_the_way_and_frequencies_are_expanded(tmp_path: Path) -> None:
    """B lies almost at C: its time is just before; a headway of 10 minutes makes six trips an hour."""
    times = BASE["stop_times.txt"].replace("8:10:00,8:11:00,B", ",,B")
    timetable, _ = read(feed(tmp_path, stop_times=times))
    (t1,) = index_of(timetable).trips["x:t1"]
    arrival = timetable.arrival_s[timetable.first_stop_time[t1] + 1]
    assert 8 * 3600 + 600 < arrival < 8 * 3600 + 720
    often = "trip_id,start_time,end_time,headway_secs\nt1,6:00:00,7:00:00,600\nt1,6:30:00,7:30:00,0\n"
    timetable, codes = read(feed(tmp_path, frequencies=often))
    trips = index_of(timetable).trips["x:t1"]
    assert [int(timetable.trip_start_s[trip]) for trip in trips] == [21600 + 600 * i for i in range(6)]
    assert codes == {"number_out_of_range"}


def test_transfers_win_over_straight_lines(tmp_path: Path) -> None:
    """A forbidden change disappears, a minimum time counts, same stop sets the change time."""
    rules = "from_stop_id,to_stop_id,transfer_type,min_transfer_time\nB,C,3,\nC,B,2,500\nA,A,2,30\nA,Q,2,30\n"
    timetable, codes = read(feed(tmp_path, transfers=rules))
    stops = index_of(timetable).stops
    b, c = stops["x:B"], stops["x:C"]
    assert timetable.first_footpath[b] == timetable.first_footpath[b + 1]
    assert timetable.footpath_s[timetable.first_footpath[c] : timetable.first_footpath[c + 1]].tolist() == [500]
    assert timetable.stop_min_change_s.tolist() == [30, -1, -1, -1]
    assert codes == {"foreign_key_violation"}
    other = with_footpaths(timetable, [b, b, b], [c, c, b], [90, 80, 0])
    assert (other.footpath_to.tolist(), other.footpath_s.tolist()) == ([c], [80])


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"stop_times": BASE["stop_times.txt"].replace("8:12:00,8:12:00", "7:12:00,7:12:00")}, "stop_time_with_arrival_before"),
        ({"stop_times": BASE["stop_times.txt"].replace("B,5", "B,1")}, "duplicate_key"),
        ({"stop_times": BASE["stop_times.txt"].replace("B,5", "Q,5")}, "foreign_key_violation"),
        ({"stop_times": BASE["stop_times.txt"].replace("8:00:00,8:00:00", ",")}, "missing_trip_edge"),
    ],
)
def test_a_bad_trip_is_set_aside_and_the_others_kept(tmp_path: Path, files: dict[str, str], code: str) -> None:
    """Trip t1 is spoilt in four ways; t2 stays."""
    timetable, codes = read(feed(tmp_path, **files))
    assert list(timetable.trip_ids) == ["x:t2"]
    assert any(found.startswith(code) for found in codes)


def test_a_broken_optional_file_does_not_reject_the_feed(tmp_path: Path) -> None:
    """shapes.txt without its columns and an empty transfers.txt are left out and reported."""
    timetable, codes = read(feed(tmp_path, shapes="nonsense\n1\n", transfers=""))
    assert timetable.trip_count == 2
    assert codes == {"missing_required_column", "csv_parsing_failed"}


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"stop_times": None}, "missing_required_file"),
        ({"calendar_dates": None}, "missing_calendar_and_calendar_date_files"),
        ({"agency": BASE["agency.txt"].replace("Lisbon", "Lisboa")}, "invalid_timezone"),
        ({"trips": "route_id,trip_id\nR,t1\n"}, "missing_required_column"),
        ({"calendar_dates": "service_id,date,exception_type\nW,2024-07-30,1\n"}, "no_service_days"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(tmp_path: Path, files: dict[str, str | None], code: str) -> None:
    """The code is that of the canonical validator where it has one."""
    with pytest.raises(GtfsError) as refused:
        read(feed(tmp_path, **files))
    assert refused.value.code == code


def test_a_truncated_archive_is_refused_at_every_length(tmp_path: Path) -> None:
    """However much of the zip is missing: a clear error, never another exception."""
    whole = feed(tmp_path).read_bytes()
    for length in range(0, len(whole), 97):
        path = tmp_path / "cut.zip"
        path.write_bytes(whole[:length])
        with pytest.raises(GtfsError, match=r"fetch it again|is an empty file"):
            read(path)
    with pytest.raises(GtfsError, match="does not exist"):
        read(tmp_path / "absent.zip")


def test_the_embedded_city_reads_alike_every_time() -> None:
    """The three feeds of Porto: counts, a common calendar, and the same arrays on a second reading."""
    sources = [
        GtfsSource("stcp", porto("gtfs_stcp.zip"), 728),
        GtfsSource("metro", porto("metro_do_porto_gtfs.zip")),
        GtfsSource("cp", porto("cp_porto_crop_gtfs.zip")),
    ]
    first, second = read_timetable(sources), read_timetable(sources)
    assert (first.stop_count, first.trip_count, len(first.arrival_s)) == (2636, 16476, 529986)
    assert list(first.feed_ids) == ["stcp", "metro", "cp"]
    day = first.day_of_date(dt.date(2026, 7, 28))
    feeds = {int(first.route_feed[first.trip_route[trip]]) for trip in range(first.trip_count) if first.is_running(trip, day)}
    assert feeds == {0, 1, 2}
    for name in ("arrival_s", "pattern_stops", "footpath_to", "service_days", "trip_pattern"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name


@pytest.mark.parametrize("kind", ["gtfs", "zip"])
def test_hostile_feeds_end_as_expected(kind: str) -> None:
    """Every file that must be refused is refused, every other one is read."""
    refused = {"020", "022", "023", "041", "102", "103", "104", "114"}
    files = sorted(shared(f"feeds_nasty/{kind}").glob("*.zip"))
    assert files
    for path in files:
        if path.name[:3] in refused:
            with pytest.raises(GtfsError):
                read(path)
        else:
            assert read(path)[0].trip_count > 0, path.name
