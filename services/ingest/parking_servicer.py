"""`ParkingService`: car parks of all operators, now and later."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from traboule.parking.v1 import parking_service_pb2 as pb
from traboule.parking.v1 import parking_service_pb2_grpc

from routing.forecast.parking import DEVIATION_TAU_S, OBSERVATION_SD, TURNOVER_PER_H, ParkingForecast, uncounted
from routing.model.car_parks import CapacitySource, CarParks
from services.common.errors import InvalidInput, NotFound
from services.common.live.parking import LiveCarParks
from services.common.live.state import LiveState, Topic
from services.ingest.stamps import Stamper

DEFAULT_PAGE = 100
PAST_S = 60
"""A time to predict for may lie so far in the past: a caller's clock need not be the city's."""
TREND_SPAN_S = 900
TREND_SHARE = 0.02
Z90 = 1.2816
_METRES_PER_DEGREE = 111_195.0
_STATUS = {
    "open": pb.CarParkState.OPENING_STATUS_OPEN, "full": pb.CarParkState.OPENING_STATUS_FULL,
    "closed": pb.CarParkState.OPENING_STATUS_CLOSED,
}  # fmt: skip


class ParkingServicer(parking_service_pb2_grpc.ParkingServiceServicer):
    """Servicer of `traboule.parking.v1.ParkingService`."""

    def __init__(self, car_parks: CarParks, live: LiveState, forecast: ParkingForecast, stamper: Stamper) -> None:
        self._car_parks, self._live, self._forecast, self._stamper = car_parks, live, forecast, stamper
        self._ids = {car_park_id: i for i, car_park_id in enumerate(car_parks.ids)}
        self._past: deque[LiveCarParks] = deque(maxlen=64)
        live.on_change(self._remember)

    async def ListCarParks(self, request: pb.ListCarParksRequest, context: Any) -> pb.ListCarParksResponse:  # noqa: ARG002, N802, D102
        rows = [i for i in self._chosen(request.car_park_ids) if self._fits(i, request)]
        distance: dict[int, float] = {}
        if request.HasField("near"):
            distance = {i: self._distance(i, request.near.lat_deg, request.near.lon_deg) for i in rows}
            rows.sort(key=lambda i: distance[i])
        if request.page_token and not (request.page_token.isascii() and request.page_token.isdigit()):
            raise InvalidInput("page_token is not one that was given", field="page_token")
        first, size = int(request.page_token or 0), request.page_size or DEFAULT_PAGE
        parks = [self._car_park(i, distance.get(i)) for i in rows[first : first + size]]
        token = str(first + size) if first + size < len(rows) else ""
        return pb.ListCarParksResponse(car_parks=parks, next_page_token=token, stamp=self._stamper.stamp())

    async def PredictAvailability(  # noqa: N802, D102
        self,
        request: pb.PredictAvailabilityRequest,
        context: Any,  # noqa: ARG002
    ) -> pb.PredictAvailabilityResponse:
        live = self._now()
        outlook = self._forecast.outlook(live.free_spaces, live.capacity, live.observed_s, live.status)
        now_s = int(self._stamper.clock.now())
        for k, at in enumerate(request.at_unix_s):
            if at < now_s - PAST_S:
                raise InvalidInput(f"at_unix_s[{k}]: {at} is in the past; now is {now_s}", field=f"at_unix_s[{k}]")
        times = np.array(request.at_unix_s, np.int64)
        parks = []
        for i in self._chosen(request.car_park_ids):
            chance = outlook(np.full(len(times), i, np.int32), times)
            rows = [self._prediction(i, int(at), float(free), live) for at, free in zip(times, chance, strict=True)]
            parks.append(pb.CarParkForecast(car_park_id=self._car_parks.ids[i], forecasts=rows))
        return pb.PredictAvailabilityResponse(car_parks=parks, stamp=self._stamper.stamp())

    async def WatchCarParks(  # noqa: N802, D102
        self,
        request: pb.WatchCarParksRequest,
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[pb.WatchCarParksResponse]:
        rows = self._chosen(request.car_park_ids)
        before = self._now()
        yield pb.WatchCarParksResponse(car_parks=[self._car_park(i, None) for i in rows], stamp=self._stamper.stamp())
        while True:
            await asyncio.sleep(request.min_interval_s or 1.0)
            await self._live.wait_for(Topic.CAR_PARKS, before.epoch)
            now = self._now()
            changed = [i for i in rows if _state_of(now, i) != _state_of(before, i)]
            before = now
            if changed:
                yield pb.WatchCarParksResponse(
                    car_parks=[self._car_park(i, None) for i in changed], stamp=self._stamper.stamp()
                )

    def _now(self) -> LiveCarParks:
        live = self._live.car_parks
        assert live is not None
        return live

    def _chosen(self, car_park_ids: Any) -> list[int]:
        for car_park_id in car_park_ids:
            if car_park_id not in self._ids:
                raise NotFound(f"there is no car park {car_park_id!r}", field="car_park_ids")
        return [self._ids[car_park_id] for car_park_id in car_park_ids] or list(range(len(self._car_parks.capacity)))

    def _fits(self, i: int, request: pb.ListCarParksRequest) -> bool:
        if request.park_and_ride_only and not self._car_parks.park_and_ride[i]:
            return False
        if not request.HasField("area"):
            return True
        lat, lon = float(self._car_parks.lat_e7[i]) * 1e-7, float(self._car_parks.lon_e7[i]) * 1e-7
        box = request.area
        return box.south_deg <= lat <= box.north_deg and box.west_deg <= lon <= box.east_deg

    def _distance(self, i: int, lat: float, lon: float) -> float:
        dy = float(self._car_parks.lat_e7[i]) * 1e-7 - lat
        dx = (float(self._car_parks.lon_e7[i]) * 1e-7 - lon) * math.cos(math.radians(lat))
        return math.hypot(dx, dy) * _METRES_PER_DEGREE

    def _car_park(self, i: int, distance_m: float | None) -> pb.CarPark:
        parks, live = self._car_parks, self._now()
        height, disabled = float(parks.max_height_m[i]), int(parks.disabled_capacity[i])
        park = pb.CarPark(
            car_park_id=parks.ids[i], name=parks.names[i], capacity_spaces=int(live.capacity[i]),
            capacity_assumed=int(parks.capacity_source[i]) >= CapacitySource.DECLARED,
            park_and_ride=bool(parks.park_and_ride[i]), disabled_spaces=disabled if disabled >= 0 else None,
            max_height_m=None if math.isnan(height) else height, state=self._state(i, live), distance_m=distance_m,
        )  # fmt: skip
        park.location.lat_deg, park.location.lon_deg = float(parks.lat_e7[i]) * 1e-7, float(parks.lon_e7[i]) * 1e-7
        return park

    def _state(self, i: int, live: LiveCarParks) -> pb.CarParkState:
        free, observed = int(live.free_spaces[i]), int(live.observed_s[i])
        last = next((past for past in reversed(self._past) if past.observed_s[i] > 0), None) if not observed else None
        return pb.CarParkState(
            free_spaces=free if free >= 0 else None,
            status=_STATUS.get(live.status[i], pb.CarParkState.OPENING_STATUS_UNSPECIFIED),
            observed_unix_s=observed or (int(last.observed_s[i]) if last else 0), stale=not observed and last is not None,
            trend=self._trend(i, live), feed_id=self._car_parks.feed_ids[i] if observed else "",
        )  # fmt: skip

    def _trend(self, i: int, live: LiveCarParks) -> pb.CarParkState.Trend.ValueType:
        if live.free_spaces[i] < 0:
            return pb.CarParkState.TREND_UNSPECIFIED
        since = live.observed_s[i] - TREND_SPAN_S
        old = next((past for past in self._past if past.observed_s[i] >= since and past.free_spaces[i] >= 0), live)
        change = int(live.free_spaces[i]) - int(old.free_spaces[i])
        if abs(change) <= TREND_SHARE * int(live.capacity[i]):
            return pb.CarParkState.TREND_STEADY
        return pb.CarParkState.TREND_EMPTYING if change > 0 else pb.CarParkState.TREND_FILLING

    def _prediction(self, i: int, at_s: int, free_probability: float, live: LiveCarParks) -> pb.AvailabilityForecast:
        """Mean and spread as `routing.forecast.parking` defines them; closed car parks have no space."""
        room = float(live.capacity[i])
        known = live.free_spaces[i] >= 0 and live.observed_s[i] > 0
        later = self._forecast.usual(at_s)
        if known:
            then = float(live.observed_s[i])
            age = max(0.0, at_s - then)
            deviation = 1.0 - float(live.free_spaces[i]) / room - self._forecast.usual(then)
            mean = (1.0 - later - deviation * math.exp(-age / DEVIATION_TAU_S)) * room
            turnover = TURNOVER_PER_H * room * age / 3600 + abs(mean - float(live.free_spaces[i]))
            spread = Z90 * math.sqrt(OBSERVATION_SD**2 + turnover)
        else:
            share, deviation, free_probability = uncounted(later)
            mean, spread = share * room, Z90 * deviation * room
        if live.status[i] == "closed" or room < 1.0:
            mean = spread = free_probability = 0.0
        mean = min(max(mean, 0.0), room)
        chance = free_probability
        if math.isnan(chance):
            chance = 0.5 * (1.0 + math.erf((mean - 0.5) / max(spread / Z90, 1e-9) / math.sqrt(2.0)))
        return pb.AvailabilityForecast(
            at_unix_s=at_s, q10_free_spaces=max(0.0, mean - spread), q50_free_spaces=mean,
            q90_free_spaces=min(room, mean + spread), free_probability=chance,
            basis=pb.AvailabilityForecast.BASIS_LIVE if known else pb.AvailabilityForecast.BASIS_ASSUMED,
        )  # fmt: skip

    def _remember(self, topic: Topic) -> None:
        if topic is Topic.CAR_PARKS and self._live.car_parks is not None:
            self._past.append(self._live.car_parks)


def _state_of(live: LiveCarParks, i: int) -> tuple[int, int, str]:
    return int(live.free_spaces[i]), int(live.capacity[i]), live.status[i]
