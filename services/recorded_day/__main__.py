"""``python -m services.recorded_day generate|play|digest``."""

import argparse
import asyncio
import sys
from pathlib import Path

from services.common.clock import CityClock
from services.recorded_day.archive import read_archive
from services.recorded_day.generate import digest, generate
from services.recorded_day.player import Player, new_token

CITY = Path("cities/porto")


def main(argv: list[str]) -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m services.recorded_day", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("generate", help="make the recorded day anew (the same inputs give the same day)")
    make.add_argument("--city", type=Path, default=CITY)
    make.add_argument("--out", type=Path, help="folder (default: <city>/recorded_day)")
    check = commands.add_parser("digest", help="SHA-256 over all frames")
    check.add_argument("--archive", type=Path, default=CITY / "recorded_day")
    play = commands.add_parser("play", help="serve the frames over HTTP on 127.0.0.1 by the city clock")
    play.add_argument("--archive", type=Path, default=CITY / "recorded_day")
    play.add_argument("--port", type=int, default=0)
    play.add_argument("--rate", type=float, default=1.0, help="city seconds per second, when TRABOULE_CLOCK is not set")
    options = parser.parse_args(argv)
    if options.command == "generate":
        archive = generate(options.city, options.out or options.city / "recorded_day", lambda line: print(line, flush=True))
        size_mb = sum(path.stat().st_size for path in archive.folder.iterdir()) / 1e6
        print(f"{archive.folder}: {size_mb:.2f} MB, digest {digest(archive)}")
    elif options.command == "digest":
        print(digest(read_archive(options.archive)))
    else:
        asyncio.run(_play(options.archive, options.port, options.rate))
    return 0


async def _play(folder: Path, port: int, rate: float) -> None:
    archive = read_archive(folder)
    clock = CityClock.from_environment()
    if clock.is_real:
        clock = CityClock.starting_at(archive.suggested_start, rate)
    token = new_token()
    async with Player(archive, clock, token, port) as player:
        print(f"{player.url}  token {token}  clock {clock.setting()}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
