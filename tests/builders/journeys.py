"""The journeys service on a real server: standing clock, the real city, live state where a test wants it."""

import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import grpc
from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import journeys_service_pb2_grpc, plan_pb2

from services.common.channel import development_tokens, open_channel
from services.common.clock import CityClock
from services.common.rules import Role
from services.common.server import RunningServer
from services.common.status import Problem, read_problem
from services.journeys.keeper import ViewKeeper
from services.journeys.main import SERVICE
from services.journeys.servicer import JourneysServicer
from tests.builders.servers import config_for, grpc_server

PORTO = ZoneInfo("Europe/Lisbon")
TRINDADE = (41.15207, -8.60946)
CAMPANHA = (41.14895, -8.58560)
MATOSINHOS = (41.18270, -8.68780)
MAIA_HILLS = (41.2689, -8.5869)


def at(clock: str, date: str = "2026-07-28") -> int:
    """Unix seconds of a local time in Porto."""
    return int(dt.datetime.fromisoformat(f"{date} {clock}").replace(tzinfo=PORTO).timestamp())


def standing_clock(clock: str = "08:30") -> CityClock:
    """A city clock that stands still."""
    return CityClock(float(at(clock)), 0.0, 0.0)


def point(place: tuple[float, float]) -> geo_pb2.Location:
    """Location of a (lat, lon)."""
    return geo_pb2.Location(point=geo_pb2.LatLng(lat_deg=place[0], lon_deg=place[1]))


def stop(stop_id: str) -> geo_pb2.Location:
    """Location of a stop."""
    return geo_pb2.Location(stop_id=stop_id)


def plan_request(
    origin: tuple[float, float] = TRINDADE, destination: tuple[float, float] = MATOSINHOS, **fields: Any
) -> plan_pb2.PlanJourneysRequest:
    """Ask for journeys between two points at 8:30."""
    if "arrive_by_unix_s" not in fields:
        fields.setdefault("depart_at_unix_s", at("08:30"))
    return plan_pb2.PlanJourneysRequest(origin=point(origin), destination=point(destination), **fields)


@contextlib.asynccontextmanager
async def journeys_server(keeper: ViewKeeper, clock: CityClock, home: Path) -> AsyncIterator[RunningServer]:
    """A real server with all interceptors."""

    def register(server: grpc.aio.Server) -> list[str]:
        journeys_service_pb2_grpc.add_JourneysServiceServicer_to_server(JourneysServicer(keeper, clock), server)
        return [SERVICE]

    async with grpc_server(config_for(home), register, "journeys") as server:
        yield server


@contextlib.asynccontextmanager
async def journeys_stub(
    keeper: ViewKeeper, clock: CityClock, home: Path, role: Role | None = None
) -> AsyncIterator[journeys_service_pb2_grpc.JourneysServiceStub]:
    """Stub of a real server."""
    async with (
        journeys_server(keeper, clock, home) as server,
        open_channel(server.address, development_tokens(home, role)) as channel,
    ):
        yield journeys_service_pb2_grpc.JourneysServiceStub(channel)


async def problem_of(call: Any) -> Problem:
    """What a call that must fail says."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return read_problem(error)
    raise AssertionError(f"the call was answered: {answer}")


def starts_s(leg: pb.Leg) -> int:
    """Expected departure of a leg."""
    return leg.departure.realtime_unix_s if leg.departure.HasField("realtime_unix_s") else leg.departure.scheduled_unix_s


def ends_s(leg: pb.Leg) -> int:
    """Expected arrival of a leg."""
    return leg.arrival.realtime_unix_s if leg.arrival.HasField("realtime_unix_s") else leg.arrival.scheduled_unix_s
