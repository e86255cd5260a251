"""The embedded city, up and running: state servers, services, the edge and the recorded day's player."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import httpx

from services.city.snapshot import CitySnapshot, open_snapshot
from services.common import endpoints
from services.common.channel import channel_to
from services.common.clock import CityClock
from services.common.config import Config
from services.common.errors import FailedPrecondition
from services.recorded_day.archive import Archive, read_archive
from services.recorded_day.player import Player, new_token
from services.supervisor.parts import choose_parts
from services.supervisor.supervisor import Supervisor

CLOCK_FILE = "clock"
PLAYER_FILE = "recorded_day.json"

Say = Callable[[str], None]


@dataclass(slots=True)
class RunningCity:
    """Ways to the running city; `player_url` and `player_token` change the recorded day."""

    config: Config
    snapshot: CitySnapshot
    clock: CityClock
    supervisor: Supervisor
    player_url: str
    player_token: str

    def channel(self, service: str) -> grpc.aio.Channel:
        """Channel with a development token."""
        return channel_to(self.config, service)

    @property
    def edge_url(self) -> str:
        """Address of REST and gRPC-Web."""
        return f"http://{endpoints.list_endpoints(self.config.home)['edge'].address}"

    async def inject(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change the recorded day's feed files: ``delay``, ``closure`` or ``clear``; answers the player's words.

        Raises
        ------
        FailedPrecondition
            If the player refuses.
        """
        async with httpx.AsyncClient(timeout=5.0) as client:
            headers = {"Authorization": f"Bearer {self.player_token}"}
            answer = await client.post(f"{self.player_url}/admin/{what}", json=body, headers=headers)
        if answer.status_code != httpx.codes.OK:
            raise FailedPrecondition(f"the recorded day's player refused {what}: {answer.text}")
        return dict(answer.json())


@asynccontextmanager
async def running_city(config: Config, folder: Path, *, rate: float, live: bool, say: Say) -> AsyncIterator[RunningCity]:
    """Bring a built city up and take it down again.

    Parameters
    ----------
    folder : Path
        The city's folder with `recorded_day/`.
    rate : float
        City seconds per second.
    live : bool
        Read the real feeds by the real clock instead of the recorded day.
    """
    snapshot = open_snapshot(config.home, config.city)
    archive = None if live else read_archive(folder / "recorded_day")
    clock = CityClock() if archive is None else CityClock.starting_at(archive.suggested_start, rate)
    config = replace(config, clock=clock.setting())
    config.run_dir.mkdir(parents=True, exist_ok=True)
    token = new_token()
    began = time.monotonic()
    async with _player(config, archive, clock, token) as url:
        environment = {
            "TRABOULE_CLOCK": clock.setting(),
            "TRABOULE_INGEST_SOURCE": "live" if live else "recorded",
            "TRABOULE_INGEST_REPLAY_URL": url,
        }
        (config.run_dir / CLOCK_FILE).write_text(clock.setting())
        try:
            async with Supervisor(config, choose_parts(()), environment, say) as supervisor:
                say(f"all services ready in {time.monotonic() - began:.1f} s")
                yield RunningCity(config, snapshot, clock, supervisor, url, token)
        finally:
            (config.run_dir / CLOCK_FILE).unlink(missing_ok=True)


@asynccontextmanager
async def _player(config: Config, archive: Archive | None, clock: CityClock, token: str) -> AsyncIterator[str]:
    """Player of the recorded day in this process; announces itself for `traboule` in other terminals."""
    if archive is None:
        yield ""
        return
    async with Player(archive, clock, token) as player:
        path = config.run_dir / PLAYER_FILE
        path.touch(mode=0o600)
        path.write_text(json.dumps({"url": player.url, "token": token}))
        try:
            yield player.url
        finally:
            path.unlink(missing_ok=True)


async def wait_for(check: Callable[[], Any], timeout_s: float = 10.0, poll_s: float = 0.03) -> tuple[Any, float]:
    """First truthy answer of an async `check`, and the seconds it took; (None, seconds) after `timeout_s`."""
    began = time.monotonic()
    while time.monotonic() - began < timeout_s:
        answer = await check()
        if answer:
            return answer, time.monotonic() - began
        await asyncio.sleep(poll_s)
    return None, time.monotonic() - began
