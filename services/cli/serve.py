"""``traboule serve``: run the services of a city."""

import asyncio
import contextlib
from collections.abc import Sequence

import click

from services.city.build import build_snapshot
from services.city.config import read_city
from services.city.layout import CityHome
from services.cli.city import CITIES
from services.cli.context import CommandContext, plain_errors
from services.cli.output import say
from services.cli.progress import StepBars
from services.cli.stopping import stoppable
from services.common import endpoints
from services.supervisor.parts import PARTS, Part, choose_parts
from services.supervisor.supervisor import Supervisor


@click.command()
@click.argument("services", nargs=-1)
@click.option("--live", is_flag=True, help="Read the real feeds of city.toml from the internet, by the real clock.")
@click.pass_obj
@plain_errors
def serve(context: CommandContext, services: tuple[str, ...], live: bool) -> None:
    """Run SERVICES (all, ingest, journeys, rounds, signals, edge) until Ctrl-C.

    State servers are started too, unless TRABOULE_STATE_DURABLE_URL and TRABOULE_STATE_LIVE_URL name running ones.
    The city is built first where that has not been done. Without --live no feed is polled: push feeds, or use `traboule demo`.
    """
    parts = choose_parts(services)
    ensure_built(context)
    environment = {"TRABOULE_INGEST_SOURCE": "live" if live else "none"}
    asyncio.run(_serve(context, parts, environment))


def ensure_built(context: CommandContext) -> None:
    """Build the city if it has no snapshot yet."""
    config = context.config
    folder = CITIES / config.city
    if CityHome.of(config.home, config.city).find_pointer() is None or folder.exists():
        with StepBars() as bars:
            build_snapshot(read_city(folder), config.home, bars)


async def _serve(context: CommandContext, parts: Sequence[Part], environment: dict[str, str]) -> None:
    async with stoppable(Supervisor(context.config, parts, environment, say=say)) as (supervisor, stop):
        show_addresses(context)
        watching = asyncio.ensure_future(supervisor.watch())
        waiting = asyncio.ensure_future(stop.wait())
        await asyncio.wait({watching, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        say("stopping …")


def show_addresses(context: CommandContext) -> None:
    """Say where everything listens."""
    known = endpoints.list_endpoints(context.config.home)
    if "edge" in known:
        say(f"[bold]REST and gRPC-Web[/]  http://{known['edge'].address}   (OpenAPI: /openapi.json)")
    for name in PARTS:
        if name in known and name != "edge":
            say(f"gRPC {name:<9} {known[name].address}")
    say("Ctrl-C stops the city.")
