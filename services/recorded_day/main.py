"""Wiring of the recorded day's player as a process of a running city.

It writes its address and the token of its admin paths to ``<home>/run/recorded_day.json`` (readable by its owner only).
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from services.common.config import Config, load_section
from services.common.main import service_main
from services.recorded_day.archive import read_archive
from services.recorded_day.player import Player, new_token

ANNOUNCEMENT = "recorded_day.json"


@dataclass(frozen=True, slots=True)
class ReplayConfig:
    """Settings ``TRABOULE_REPLAY_<NAME>``: the archive's folder (default: that of the city in this checkout) and the port."""

    archive: Path | None = None
    port: int = 0


async def run(config: Config) -> None:
    """Replay the recorded day of the configured city until stopped."""
    settings = load_section("replay", ReplayConfig)
    folder = settings.archive or Path(__file__).resolve().parents[2] / "cities" / config.city / "recorded_day"
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Player(read_archive(folder), config.city_clock(), new_token(), settings.port) as player:
        announce(config.home, player)
        try:
            await stop.wait()
        finally:
            (config.run_dir / ANNOUNCEMENT).unlink(missing_ok=True)


def announce(home: Path, player: Player) -> None:
    """Write down where the player listens, and its token."""
    path = home / "run" / ANNOUNCEMENT
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump({"url": player.url, "token": player.token, "pid": os.getpid()}, file)
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(service_main("recorded_day", run))
