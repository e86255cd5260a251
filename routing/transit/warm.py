"""Compile every public transport kernel before the first request needs it."""

import dataclasses

import numpy as np

from routing.model.timetable import Timetable
from routing.transit.api import TransitEngine, stop_to_stop
from routing.transit.realtime import RealtimeOverlay
from routing.transit.timetable_build import TimetableParts, build_timetable
from routing.transit.trip_changes import StopChange, TripChange

DAY_S = 86_400


def warm() -> None:
    """Run each kernel once on a timetable of two trips; machine code is then cached on disk."""
    timetable = tiny_timetable()
    engine = TransitEngine(timetable)
    changes = [TripChange("warm", "0", stops=(StopChange(stop_sequence=1, departure_delay_s=60),))]
    live = engine.with_realtime(RealtimeOverlay.build(timetable, changes, 8 * 3600))
    forth = stop_to_stop([0], [3], 8 * 3600)
    back = dataclasses.replace(forth, time_s=12 * 3600, arrive_by=True)
    for request in (forth, back, dataclasses.replace(forth, window_s=3600), dataclasses.replace(back, window_s=3600)):
        engine.plan(request)
        live.plan(request)
    live.departures(0, 8 * 3600)


def tiny_timetable() -> Timetable:
    """Four stops, two routes with one trip each, a footpath between them, one service day (1970-01-01, UTC)."""
    zeros = np.zeros(2, np.int32)
    bytes4, bytes2 = np.zeros(4, np.uint8), np.zeros(2, np.uint8)
    names, pair = [f"warm:{i}" for i in range(4)], ["warm:0", "warm:1"]
    parts = TimetableParts(
        feed_ids=["warm"],
        feed_timezones=["UTC"],
        feed_shift_days=np.zeros(1, np.int32),
        first_date=719_163,
        day_start_s=np.zeros((1, 1), np.int64),
        service_days=np.ones((1, 1), np.uint8),
        agency_ids=["warm:"],
        agency_names=["Warm"],
        agency_urls=[""],
        stop_ids=names,
        stop_names=names,
        stop_codes=names,
        stop_zones=names,
        stop_platforms=names,
        stop_feed=np.zeros(4, np.int32),
        stop_lat_deg=np.zeros(4),
        stop_lon_deg=np.zeros(4),
        stop_parent=np.full(4, -1, np.int32),
        stop_location_type=bytes4,
        stop_wheelchair=bytes4,
        stop_min_change_s=np.full(4, -1, np.int32),
        route_ids=pair,
        route_short_names=pair,
        route_long_names=pair,
        route_feed=zeros,
        route_agency=zeros,
        route_type=zeros,
        route_color=zeros,
        route_text_color=zeros,
        trip_ids=pair,
        trip_route=np.array([0, 1], np.int32),
        trip_service=zeros,
        trip_headsign=["", ""],
        trip_short_name=["", ""],
        trip_direction=np.zeros(2, np.int8),
        trip_block=zeros - 1,
        trip_wheelchair=bytes2,
        trip_bikes=bytes2,
        trip_shape=zeros - 1,
        first_call=np.array([0, 2, 4], np.int64),
        call_stop=np.array([0, 1, 2, 3], np.int32),
        call_arrival_s=np.array([30_000, 30_600, 31_200, 31_800], np.int32),
        call_departure_s=np.array([30_000, 30_600, 31_200, 31_800], np.int32),
        call_sequence=np.array([1, 2, 1, 2], np.int32),
        call_pickup=bytes4,
        call_drop_off=bytes4,
        footpath_from=np.array([1], np.int32),
        footpath_to=np.array([2], np.int32),
        footpath_s=np.array([120], np.int32),
    )
    return build_timetable(parts)
