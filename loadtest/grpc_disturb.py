"""What disturbs the city while the `grpc` benchmark asks: streets are closed and opened again, snapshots are swapped."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from traboule.common.v1 import geo_pb2
from traboule.traffic.v1 import traffic_service_pb2 as pb
from traboule.traffic.v1 import traffic_service_pb2_grpc

from loadtest.grpc_scenarios import City
from services.city.layout import CityHome
from services.common import endpoints
from services.common.channel import development_tokens, open_channel

TWIN = "loadtest-twin"
"""Name of the snapshot that is swapped with the city's own: the same files under another name."""


@dataclass(slots=True)
class Disturbed:
    """What was done to the city."""

    closures: int = 0
    swaps: int = 0


@contextlib.asynccontextmanager
async def disturbing(
    home: Path, city_name: str, city: City, random: Random, closure_every_s: float, swap_every_s: float
) -> AsyncIterator[Disturbed]:
    """Close a street and open the one before every so many seconds, and swap snapshots every so many (0 = never).

    At the end every street is open and the city's own snapshot is current.

    Raises
    ------
    LookupError
        If closures are wanted and no ingest service of `home` runs.
    CityError
        If swaps are wanted and the city was never built, or is being built.
    """
    done = Disturbed()
    async with contextlib.AsyncExitStack() as stack:
        tasks = []
        if closure_every_s:
            tasks.append(_close_streets(_ingest_address(home), home, city, random, closure_every_s, done))
        if swap_every_s:
            places = CityHome.of(home, city_name)
            own = stack.enter_context(twin_snapshot(places))
            tasks.append(_swap(places, own, swap_every_s, done))
        running = [asyncio.ensure_future(task) for task in tasks]
        try:
            yield done
        finally:
            for task in running:
                task.cancel()
            for outcome in await asyncio.gather(*running, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome


def _ingest_address(home: Path) -> str:
    found = endpoints.list_endpoints(home).get("ingest")
    if found is None:
        raise LookupError(f"no ingest service of {home} runs: streets cannot be closed; set $TRABOULE_HOME to that of the city")
    return found.address


async def _close_streets(address: str, home: Path, city: City, random: Random, every_s: float, done: Disturbed) -> None:
    async with open_channel(address, development_tokens(home)) as channel:
        stub: Any = traffic_service_pb2_grpc.TrafficServiceStub(channel)
        closed = ""
        try:
            while True:
                lat, lon = random.choice(city.places)
                incident = pb.Incident(kind=pb.INCIDENT_KIND_CLOSURE, path=[geo_pb2.LatLng(lat_deg=lat, lon_deg=lon)])
                answer = await stub.ReportIncident(pb.ReportIncidentRequest(incident=incident), timeout=30)
                if closed:
                    await stub.ResolveIncident(pb.ResolveIncidentRequest(incident_id=closed), timeout=30)
                closed = answer.incident.incident_id
                done.closures += 1
                await asyncio.sleep(every_s)
        finally:
            if closed:
                await stub.ResolveIncident(pb.ResolveIncidentRequest(incident_id=closed), timeout=30)


@contextlib.contextmanager
def twin_snapshot(places: CityHome) -> Iterator[str]:
    """Lay a copy (hard links) of the current snapshot beside it; at the end the city's own is current and the copy is gone.

    Nobody can build the city meanwhile. Gives the name of the city's own snapshot.
    """
    own = places.get_pointer().snapshot
    with places.lock():
        twin = places.snapshots / TWIN
        shutil.rmtree(twin, ignore_errors=True)
        shutil.copytree(places.snapshots / own, twin, copy_function=os.link)
        try:
            yield own
        finally:
            places.swap(own)
            shutil.rmtree(twin, ignore_errors=True)


async def _swap(places: CityHome, own: str, every_s: float, done: Disturbed) -> None:
    while True:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(places.swap, own if done.swaps % 2 else TWIN)
        done.swaps += 1
