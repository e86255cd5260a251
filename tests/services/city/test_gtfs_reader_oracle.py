"""The timetable says what gtfs-kit, an independent reader, says of the same files."""

import warnings

import numpy as np
import pytest

from services.city.gtfs_reader import GtfsSource, read_timetable
from services.city.gtfs_reader_transfers import WalkOptions
from tests.builders.shared_data import porto

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies warn when imported
    import gtfs_kit


@pytest.mark.slow
def test_trips_of_days_and_their_times_agree() -> None:
    """Trips running on given days, and the times of drawn trips at all their stops, are the same in both readers.

    CP's feed only: the oracle stops at a file of Metro do Porto that is none of GTFS, which the reader passes over.
    """
    feed, file = "cp", "cp_porto_crop_gtfs.zip"
    timetable = read_timetable([GtfsSource(feed, porto(file), 0)], walk=WalkOptions(radius_m=0.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = gtfs_kit.read_feed(porto(file), dist_units="km")
        rng = np.random.default_rng(3)
        ours = {f"{feed}:{row}" for row in oracle.trips.trip_id}
        assert ours == set(timetable.trip_ids)
        for date in ("20260728", "20260801", "20260816"):
            day = timetable.day_of_date(np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:]}").astype(object))
            running = {timetable.trip_ids[t] for t in range(timetable.trip_count) if timetable.is_running(t, day)}
            assert running == {f"{feed}:{trip}" for trip in oracle.get_trips(date).trip_id}
        times = oracle.stop_times.sort_values(["trip_id", "stop_sequence"]).groupby("trip_id")
        for trip in rng.choice(timetable.trip_count, 40, replace=False).tolist():
            rows = times.get_group(timetable.trip_ids[trip].removeprefix(f"{feed}:"))
            calls = slice(int(timetable.first_stop_time[trip]), int(timetable.first_stop_time[trip + 1]))
            stops = [timetable.stop_ids[s] for s in timetable.stops_of_trip(trip).tolist()]
            assert stops == [f"{feed}:{stop}" for stop in rows.stop_id]
            assert timetable.departure_s[calls].tolist() == [_seconds(text) for text in rows.departure_time]


def _seconds(text: str) -> int:
    hours, minutes, seconds = text.strip().split(":")
    return 3600 * int(hours) + 60 * int(minutes) + int(seconds)
