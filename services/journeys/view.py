"""What one request sees: every value of one epoch, and the stamp that says which."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from traboule.common.v1 import stamp_pb2

from routing.forecast.parking import ParkingForecast
from routing.forecast.traffic import TrafficForecast, TrafficProfile
from routing.model.modes import StreetMode
from routing.multimodal.model import TrafficBasis
from routing.multimodal.network import JourneyNetwork, build_network
from routing.places.search import PlaceSearch
from routing.street.access_rules import AccessRules, EmissionClass
from routing.street.api import StreetEngine, StreetMetric, TimedStreets
from routing.street.warm import warm_predicted
from routing.transit.api import RealtimeOverlay, TransitEngine
from services.city.calendar import build_calendar
from services.city.snapshot import CitySnapshot
from services.common.clock import CityClock
from services.common.live.alerts import LiveAlerts
from services.common.live.closures import closure_rules
from services.common.live.state import LiveState, Topic
from services.journeys.car_functions import CarFunctions, LiveSpeeds
from services.journeys.car_metrics import METRIC_BYTES, CarMetrics, CityMetrics
from services.journeys.places import Places

CLOSURES_LAST_S = 3 * 3600
"""Closures without an end are taken to last this long from now on."""

STALE_AFTER_S = 300
MOTOR_MODES = (StreetMode.CAR, StreetMode.VAN, StreetMode.TRUCK)


@dataclass(frozen=True, slots=True, eq=False)
class JourneyView:
    """One consistent set of values: a snapshot of the city, and what was known of it live.

    `schedule_only` is the same city without real time; `motor` and `free_motor` hold the times on streets with and without
    traffic, `functions` those that follow the traffic along the trip (None before any is known). `timed_modes` are those that
    walk, roll or cycle and that some rule of hours on the map binds.
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
    timed_modes: frozenset[StreetMode] = frozenset()
    functions: CarFunctions | None = None

    def street_times(self, *, live: bool) -> CarMetrics:
        """Times of motor modes with traffic (`live`) or without."""
        return self.motor if live else self.free_motor

    def metric(
        self, mode: StreetMode, time_s: int, *, live: bool, emission: EmissionClass | None = EmissionClass.ELECTRIC
    ) -> StreetMetric:
        """Metric of a street mode for a departure; motor modes with traffic (`live`) or without, obeying zones."""
        if mode in MOTOR_MODES:
            return self.street_times(live=live).metric(mode, time_s, emission)
        return self.free_motor.metric(mode, time_s) if mode in self.timed_modes else self.network.metrics[mode]

    def network_at(self, time_s: int, emission: EmissionClass, *, live: bool) -> JourneyNetwork:
        """What one planning sees that leaves at a time with a car of a class, if any."""
        network, motor = self.network if live else self.schedule_only, self.street_times(live=live)
        if motor.zones_holding(StreetMode.CAR, time_s, emission):
            free = self.free_motor.metric(StreetMode.CAR, time_s, emission)
            network = replace(network, free_flow_metric=free)
        if self.timed_modes:
            network = replace(network, metrics={mode: self.metric(mode, time_s, live=live) for mode in network.metrics})
        network = replace(network, car_metric=motor.of(StreetMode.CAR, emission))
        if not live or self.functions is None:
            return network
        return replace(network, timed_car=self.functions.of(StreetMode.CAR, emission))

    def find_timed(
        self, mode: StreetMode, time_s: int, *, live: bool, emission: EmissionClass | None = EmissionClass.ELECTRIC
    ) -> TimedStreets | None:
        """Ways of a mode by predicted traffic, for a trip that begins or ends at `time_s`; None: take `metric`."""
        if not live or self.functions is None or mode not in MOTOR_MODES:
            return None
        return self.functions.find(mode, time_s, emission)

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
    metric_bytes : int
        Bound of the memory for metrics of streets.

    Attributes
    ----------
    first_view : JourneyView
        As scheduled, without traffic.
    """

    def __init__(self, snapshot: CitySnapshot, clock: CityClock, metric_bytes: int = METRIC_BYTES) -> None:
        self.snapshot, self._clock = snapshot, clock
        self.street = StreetEngine(snapshot.street, hierarchies=snapshot.hierarchies)
        transit = TransitEngine(snapshot.timetable)
        schedule = build_network(self.street, transit, snapshot.car_parks, transfers=snapshot.transfers)
        self._traffic = TrafficForecast.for_city(self.street.graph, TrafficProfile.urban(snapshot.timezone))
        self._parking = ParkingForecast.for_city(snapshot.car_parks, snapshot.timezone)
        zone = ZoneInfo(snapshot.timezone)
        rules = AccessRules.of_zones(snapshot.zones, self.street.graph.arc_count, zone, build_calendar(snapshot.city))
        self._metrics = CityMetrics(self.street, rules, zone, metric_bytes)
        self._background, self._lock = ThreadPoolExecutor(1, "functions"), threading.Lock()
        self._predicting, self._put_off = False, list[Callable[[], None]]()
        free = self._metrics.free
        schedule = replace(schedule, car_metric=free.of(StreetMode.CAR))
        places = Places(PlaceSearch(snapshot.places), snapshot.timetable)
        timed = self._metrics.timed_modes & schedule.metrics.keys()
        self.first_view = JourneyView(snapshot, schedule, schedule, free, free, places, LiveAlerts(), {}, timed_modes=timed)

    def next_view(self, view: JourneyView, live: LiveState, topics: set[Topic]) -> JourneyView:
        """View that follows `view` once the given topics have changed; some 60 ms of work."""
        network, epochs = view.network, dict(view.epochs)
        feeds, motor, functions = dict(view.feeds), view.motor, view.functions
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
            motor = self._metrics.follow(speed_at, closure_rules(traffic, CLOSURES_LAST_S), now_s)
            live_speeds = LiveSpeeds(traffic.arc_speed_kmh, traffic.arc_observed_s, traffic.at)
            functions = CarFunctions(self.street, self._traffic, live_speeds, motor.traffic, self._submit)
            functions.find(StreetMode.CAR, now_s)
            network = replace(
                network,
                car_metric=motor.of(StreetMode.CAR),
                timed_car=functions.of(StreetMode.CAR),
                car_basis=TrafficBasis.DEPARTURE,
            )
            epochs[Topic.TRAFFIC] = traffic.epoch
        if Topic.CAR_PARKS in topics and live.car_parks is not None:
            parks = live.car_parks
            outlook = self._parking.outlook(parks.free_spaces, parks.capacity, parks.observed_s, parks.status)
            network = replace(network, parking_outlook=outlook)
            epochs[Topic.CAR_PARKS] = parks.epoch
        if Topic.ALERTS in topics:
            epochs[Topic.ALERTS] = live.alerts.epoch
        ages = tuple(sorted(feeds.items()))
        return replace(view, network=network, motor=motor, alerts=live.alerts, epochs=epochs, feeds=ages, functions=functions)

    def begin_predicting(self, view: JourneyView) -> None:
        """Load what predicted ways need; make those of `view`, and from now on those of every new epoch, in the background.

        Until then they are put off: loading machine code would keep the first answers waiting.
        """
        warm_predicted(self.street)
        if view.functions is not None:
            view.functions.find(StreetMode.CAR, int(self._clock.now()))
        with self._lock:
            self._predicting, put_off = True, self._put_off
        for work in put_off:
            self._background.submit(work)

    def _submit(self, work: Callable[[], None]) -> None:
        with self._lock:
            if not self._predicting:
                self._put_off.append(work)
                return
        self._background.submit(work)
