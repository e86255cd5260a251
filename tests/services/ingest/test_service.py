"""The whole ingest process on the recorded day: polled over HTTP, served over gRPC, a delay seen by a follower at once."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest
from traboule.feeds.v1 import feed_pb2, feeds_service_pb2, feeds_service_pb2_grpc
from traboule.parking.v1 import parking_service_pb2, parking_service_pb2_grpc
from traboule.traffic.v1 import traffic_service_pb2, traffic_service_pb2_grpc

from services.common import endpoints
from services.common.channel import development_tokens, open_channel
from services.common.clock import CityClock
from services.common.config import load_config
from services.common.live.state import LiveState, Topic
from services.common.state import State
from services.recorded_day.archive import read_archive
from services.recorded_day.player import Player
from tests.builders.feeds import parkapi
from tests.builders.servers import state_servers
from tests.builders.shared_data import ROOT
from tests.builders.waiting import PATIENCE_S, soon
from tests.conftest import HOME

TOKEN = "token-of-this-test"
BASE = {"TRABOULE_INGEST_SOURCE": "recorded", "TRABOULE_SERVER_GRACE_S": "1", "TRABOULE_CITIES": "porto"}


class Running:
    """A running ingest process and what is around it."""

    def __init__(self, home: Path, environment: dict[str, str], player: Player, clock: CityClock) -> None:
        self.home, self.environment, self.player, self.clock = home, environment, player, clock
        own = {name: value for name, value in environment.items() if not name.startswith("TRABOULE_INGEST")}
        self.config = load_config(own)

    @property
    def address(self) -> str:
        """Where it listens."""
        return endpoints.list_endpoints(self.home)["ingest"].address

    async def wait_fresh(self) -> feeds_service_pb2.GetFeedHealthResponse:
        """Wait until every feed of the city is fresh; answers the health."""
        deadline = time.monotonic() + PATIENCE_S
        async with open_channel(self.address, development_tokens(self.home, None)) as channel:
            stub = feeds_service_pb2_grpc.FeedsServiceStub(channel)
            while True:
                answer = await stub.GetFeedHealth(feeds_service_pb2.GetFeedHealthRequest())
                if answer.feeds and all(feed.state == feed_pb2.FEED_STATE_OK for feed in answer.feeds):
                    return answer
                assert time.monotonic() < deadline, answer
                await asyncio.sleep(0.2)


@pytest.fixture
async def ingest(tmp_path: Path, porto_snapshot: object) -> AsyncIterator[Running]:
    """Ingest of Porto at 08:20 of the recorded day, in a home of its own."""
    assert porto_snapshot is not None
    (tmp_path / "cities").mkdir()
    (tmp_path / "cities" / "porto").symlink_to(HOME.absolute() / "cities" / "porto")
    archive = read_archive(ROOT / "cities" / "porto" / "recorded_day")
    clock = CityClock.starting_at(archive.suggested_start + 1200)
    with state_servers(tmp_path) as servers:
        async with Player(archive, clock, TOKEN) as player:
            environment = {
                **BASE, **servers.environment(), "TRABOULE_HOME": str(tmp_path), "TRABOULE_CLOCK": clock.setting(),
                "TRABOULE_INGEST_REPLAY_URL": player.url,
            }  # fmt: skip
            python_path = os.pathsep.join([str(ROOT), str(ROOT / "proto" / "gen")])
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.ingest.main", cwd=ROOT,
                env={**os.environ, **environment, "PYTHONPATH": python_path}, stderr=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            try:
                deadline = time.monotonic() + PATIENCE_S
                while "ingest" not in endpoints.list_endpoints(tmp_path):
                    assert process.returncode is None
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.05)
                yield Running(tmp_path, environment, player, clock)
            finally:
                if process.returncode is None:
                    process.terminate()
                assert await soon(process.wait()) == 0


@pytest.mark.slow
async def test_the_city_is_served_and_changes_are_seen(ingest: Running) -> None:
    """Health, links, predictions, incidents, car parks, pushes; then a delay, published meanwhile."""
    health = await ingest.wait_fresh()
    ratio = {feed.feed_id: feed.match_ratio for feed in health.feeds if feed.HasField("match_ratio")}
    assert ratio.keys() >= {"stcp-vehicles", "metro-trip-updates", "porto-traffic", "porto-parking"}
    assert min(ratio.values()) > 0.95
    async with State.connect(ingest.config) as state, LiveState(state, ingest.clock) as live:
        await soon(live.ready.wait())
        async with open_channel(ingest.address, development_tokens(ingest.home, None)) as channel:
            await _check_traffic(traffic_service_pb2_grpc.TrafficServiceStub(channel), ingest)
            await _check_parking(parking_service_pb2_grpc.ParkingServiceStub(channel), ingest)
            await _check_push(feeds_service_pb2_grpc.FeedsServiceStub(channel))
        await _check_delay(live, ingest)


async def _check_traffic(stub: "traffic_service_pb2_grpc.TrafficServiceAsyncStub", ingest: Running) -> None:
    pb = traffic_service_pb2
    deadline = time.monotonic() + PATIENCE_S
    while True:  # the first laying of all sites on the streets takes a moment after the feeds are fresh
        every = await stub.GetLinkStates(pb.GetLinkStatesRequest())
        measured = next((link for link in every.links if link.source == pb.SPEED_SOURCE_MEASURED), None)
        if measured is not None and any(link.closed for link in every.links):
            break
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    answer = await stub.GetLinkStates(pb.GetLinkStatesRequest(with_polylines=True, page_size=50))
    assert len(answer.links) == 50
    assert answer.next_page_token == "50"
    assert answer.links[0].polyline.encoded
    assert {link.street_name for link in every.links if link.closed} == {"Rua da Constituição"}
    now = int(ingest.clock.now())
    wanted = pb.PredictLinkSpeedsRequest(at_unix_s=[now, now + 3600])
    wanted.links.ids.link_ids.append(measured.link_id)
    (forecast,) = (await stub.PredictLinkSpeeds(wanted)).links
    assert all(s.q10_kmh < s.q50_kmh <= s.q90_kmh for s in forecast.speeds)
    assert abs(forecast.speeds[0].q50_kmh - measured.speed_kmh) < 5
    report = pb.ReportIncidentRequest(idempotency_key="once")
    report.incident.kind, report.incident.both_directions = pb.INCIDENT_KIND_CLOSURE, True
    report.incident.path.add(lat_deg=41.1500, lon_deg=-8.6100)
    first, again = [(await stub.ReportIncident(report)).incident for _ in range(2)]
    assert first.link_ids
    assert first.incident_id == again.incident_id
    report.incident.path[0].lat_deg = 10.0
    report.idempotency_key = "far"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ReportIncident(report)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    resolved = await stub.ResolveIncident(pb.ResolveIncidentRequest(incident_id=first.incident_id))
    assert resolved.incident.active.end_unix_s >= now


async def _check_parking(stub: "parking_service_pb2_grpc.ParkingServiceAsyncStub", ingest: Running) -> None:
    pb = parking_service_pb2
    request = pb.ListCarParksRequest(page_size=3)
    request.near.lat_deg, request.near.lon_deg = 41.1519, -8.606
    answer = await stub.ListCarParks(request)
    distances = [park.distance_m for park in answer.car_parks]
    assert distances == sorted(distances)
    assert answer.car_parks[0].car_park_id == "silo-auto"
    assert 0 <= answer.car_parks[0].state.free_spaces <= answer.car_parks[0].capacity_spaces
    assert answer.car_parks[0].capacity_assumed
    at = int(ingest.clock.now()) + 1800
    predicted = await stub.PredictAvailability(pb.PredictAvailabilityRequest(car_park_ids=["silo-auto"], at_unix_s=[at]))
    (row,) = predicted.car_parks[0].forecasts
    assert 0 <= row.q10_free_spaces <= row.q50_free_spaces <= row.q90_free_spaces
    assert 0 <= row.free_probability <= 1
    assert row.basis == pb.AvailabilityForecast.BASIS_LIVE
    everywhere = await stub.PredictAvailability(pb.PredictAvailabilityRequest(at_unix_s=[at]))
    assumed = [one.forecasts[0] for one in everywhere.car_parks if one.forecasts[0].basis != row.basis]
    assert assumed, "some car park of the city is counted by nobody"
    for guess in assumed:
        assert 0 < guess.free_probability < 0.9, "nothing is known of it: nothing is nearly certain"
        assert guess.q10_free_spaces < guess.q50_free_spaces < guess.q90_free_spaces
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PredictAvailability(pb.PredictAvailabilityRequest(at_unix_s=[at, at - 86_400]))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "at_unix_s[1]" in (caught.value.details() or "")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PredictAvailability(pb.PredictAvailabilityRequest(car_park_ids=["nope"], at_unix_s=[at]))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def _check_push(stub: "feeds_service_pb2_grpc.FeedsServiceAsyncStub") -> None:
    pb = feeds_service_pb2
    feed = feed_pb2.Feed(feed_id="pushed", kind=feed_pb2.FEED_KIND_PARKAPI)
    assert (await stub.RegisterFeed(pb.RegisterFeedRequest(feed=feed))).created
    body = parkapi(5, "2026-07-28T07:20:00")
    parts = [pb.PushFeedRequest(feed_id="pushed", chunk=body[:20]), pb.PushFeedRequest(chunk=body[20:])]
    delivery = (await stub.PushFeed(iter(parts))).delivery
    assert (delivery.verdict, delivery.accepted_count) == (feed_pb2.VERDICT_ACCEPT, 2)
    rejected = (await stub.PushFeedFile(pb.PushFeedFileRequest(feed_id="pushed", content=b"no"))).delivery
    assert (rejected.verdict, rejected.findings[0].code) == (feed_pb2.VERDICT_REJECT, "decode_error")
    for request in (
        pb.PushFeedFileRequest(feed_id="pushed", content=body, sha256="0" * 64),
        pb.PushFeedFileRequest(feed_id="nobody", content=body),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.PushFeedFile(request)
        assert caught.value.code() in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}


async def _check_delay(live: LiveState, ingest: Running) -> None:
    change = next(change for change in live.trips.changes if change.feed == "stcp")
    body = {"feed": "stcp-trip-updates", "trip_id": change.trip_id, "start_date": change.service_date, "delay_s": 1357}
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert (await client.post(ingest.player.url + "/admin/delay", json=body, headers=headers)).status_code == 200
    started = time.perf_counter()
    while not any(c.trip_id == change.trip_id and c.delay_s == 1357 for c in live.trips.changes):
        await soon(live.wait_for(Topic.TRIPS, live.epoch(Topic.TRIPS)))
    print(f"a delay was seen {time.perf_counter() - started:.2f} s after its publication")
