"""What one request sees: every value of one epoch, and the stamp that says which."""

from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import numpy as np
from traboule.common.v1 import stamp_pb2

from routing.forecast.parking import ParkingForecast
from routing.forecast.traffic import TrafficForecast, TrafficProfile
from routing.model.modes import StreetMode
from routing.multimodal.network import JourneyNetwork, build_network
from routing.places.search import PlaceSearch
from routing.street.api import StreetEngine, StreetMetric
from routing.transit.api import RealtimeOverlay, TransitEngine
from services.city.snapshot import CitySnapshot
from services.common.clock import CityClock
from services.common.live.alerts import LiveAlerts
from services.common.live.state import LiveState, Topic
from services.journeys.car_metrics import FREE_BYTES, CarMetrics
from services.journeys.places import Places

CLOSURES_LAST_S = 3 * 3600
"""Closures without an end are taken to last this long."""

STALE_AFTER_S = 300
MOTOR_MODES = (StreetMode.CAR, StreetMode.VAN, StreetMode.TRUCK)
NOTHING_CLOSED = np.empty(0, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class JourneyView:
    """One consistent set of values: a snapshot of the city, and what was known of it live.

    `schedule_only` is the same city without real time; `motor` and `free_motor` hold the times of cars, vans and trucks
    with and without traffic.
    """

    snapshot: CitySnapshot
    network: JourneyNetwork
    schedule_only: JourneyNetwork
    motor: CarMetrics
    free_motor: CarMetrics
    places: Places
    alerts: LiveAlerts
    epochs: dict[Topic, int]
    feeds: tuple[tuple[str, int], ...] = ()

    def metric(self, mode: StreetMode, time_s: int, *, live: bool) -> StreetMetric:
        """Metric of a street mode for a departure; motor modes with traffic (`live`) or without."""
        motor = self.motor if live else self.free_motor
        return motor.metric(mode, time_s) if mode in MOTOR_MODES else self.network.metrics[mode]

    def stamp(self, now_s: int) -> stamp_pb2.AnswerStamp:
        """Stamp of an answer made from this view."""
        return stamp_pb2.AnswerStamp(
            city=self.snapshot.name,
            snapshot_id=self.snapshot.id,
            snapshot_epoch=self.snapshot.epoch,
            realtime_epoch=self.epochs.get(Topic.TRIPS, 0),
            traffic_epoch=self.epochs.get(Topic.TRAFFIC, 0),
            parking_epoch=self.epochs.get(Topic.CAR_PARKS, 0),
            generated_unix_s=now_s,
            feeds=[
                stamp_pb2.FeedAge(feed_id=feed, age_s=max(0, now_s - observed_s), stale=now_s - observed_s > STALE_AFTER_S)
                for feed, observed_s in self.feeds
            ],
        )


class CityEngines:
    """Engines of one snapshot, and how views are made with them.

    Parameters
    ----------
    snapshot : CitySnapshot
    clock : CityClock

    Attributes
    ----------
    first_view : JourneyView
        As scheduled, without traffic.
    """

    def __init__(self, snapshot: CitySnapshot, clock: CityClock) -> None:
        self.snapshot, self._clock = snapshot, clock
        self.street = StreetEngine(snapshot.street, hierarchies=snapshot.hierarchies)
        transit = TransitEngine(snapshot.timetable)
        schedule = build_network(self.street, transit, snapshot.car_parks, transfers=snapshot.transfers)
        self._traffic = TrafficForecast.for_city(self.street.graph, TrafficProfile.urban(snapshot.timezone))
        self._parking = ParkingForecast.for_city(snapshot.car_parks, snapshot.timezone)
        self._zone = ZoneInfo(snapshot.timezone)
        free = CarMetrics(self.street, _free_flow, self._zone, NOTHING_CLOSED, 0, varies=False, capacity_bytes=FREE_BYTES)
        schedule = replace(schedule, car_metric=free.of(StreetMode.CAR))
        places = Places(PlaceSearch(snapshot.places), snapshot.timetable)
        self.first_view = JourneyView(snapshot, schedule, schedule, free, free, places, LiveAlerts(), {})

    def next_view(self, view: JourneyView, live: LiveState, topics: set[Topic]) -> JourneyView:
        """View that follows `view` once the given topics have changed; some 60 ms of work."""
        network, epochs = view.network, dict(view.epochs)
        feeds, motor = dict(view.feeds), view.motor
        now_s = int(self._clock.now())
        if Topic.TRIPS in topics:
            trips = live.trips
            overlay = RealtimeOverlay.build(self.snapshot.timetable, trips.changes, now_s)
            network = network.with_realtime(overlay)
            network.transit.prepare(now_s)
            epochs[Topic.TRIPS] = trips.epoch
            feeds |= dict(trips.observed_at)
        if Topic.TRAFFIC in topics and live.traffic is not None:
            traffic = live.traffic
            speed_at = self._traffic.speed_at_with_live(traffic.arc_speed_kmh, traffic.arc_observed_s, traffic.at)
            until_s = now_s + CLOSURES_LAST_S
            motor = CarMetrics(self.street, speed_at, self._zone, traffic.closed_arcs, until_s)
            motor.metric(StreetMode.CAR, now_s)
            network = replace(network, car_metric=motor.of(StreetMode.CAR))
            epochs[Topic.TRAFFIC] = traffic.epoch
        if Topic.CAR_PARKS in topics and live.car_parks is not None:
            parks = live.car_parks
            outlook = self._parking.outlook(parks.free_spaces, parks.capacity, parks.observed_s, parks.status)
            network = replace(network, parking_outlook=outlook)
            epochs[Topic.CAR_PARKS] = parks.epoch
        if Topic.ALERTS in topics:
            epochs[Topic.ALERTS] = live.alerts.epoch
        ages = tuple(sorted(feeds.items()))
        return JourneyView(
            self.snapshot, network, view.schedule_only, motor, view.free_motor, view.places, live.alerts, epochs, ages
        )


def _free_flow(_time_s: int) -> None:
    """No speed is known: all streets flow freely."""
