"""``traboule demo``: from a checkout to a running city, and a guided tour."""

import asyncio
import contextlib
import sys
import time
from pathlib import Path
from typing import Any

import click

from services.cli.city import CITIES
from services.cli.context import CommandContext, plain_errors
from services.cli.output import say
from services.cli.serve import ensure_built, show_addresses
from services.cli.stopping import stoppable
from services.demo.running import RunningCity, running_city
from services.demo.tour import take_tour

REPORT = "report.html"


@click.command()
@click.option("--once", is_flag=True, help="End after the tour; exit status 1 if an expectation failed.")
@click.option("--rate", type=click.FloatRange(0.1, 60), default=1.0, show_default=True, help="City seconds per second.")
@click.option("--live", is_flag=True, help="Real feeds and the real clock instead of the recorded day (needs internet).")
@click.option("--no-tour", is_flag=True, help="Only bring the city up.")
@click.option("--report", type=click.Path(path_type=Path), help="Where to write the report (default: .traboule/report.html).")
@click.pass_obj
@plain_errors
def demo(context: CommandContext, once: bool, rate: float, live: bool, no_tour: bool, report: Path | None) -> None:
    """Bring up the embedded city, tour it with real calls, write a report, stay up until Ctrl-C."""
    began = time.monotonic()
    say("[bold]Traboule[/]: building the city (only the first time, or when its inputs change)")
    ensure_built(context)
    say(f"city built after {time.monotonic() - began:.1f} s; starting services")
    target = report or context.config.home / REPORT
    failed = asyncio.run(_demo(context, once=once, rate=rate, live=live, tour=not no_tour, report=target))
    if failed and once:
        sys.exit(1)


async def _demo(context: CommandContext, *, once: bool, rate: float, live: bool, tour: bool, report: Path) -> bool:
    folder = CITIES / context.config.city
    failed = False
    starting = running_city(context.config, folder, rate=rate, live=live, say=lambda text: say(f"  {text}"))
    async with stoppable(starting) as (city, stop):
        watching = asyncio.ensure_future(city.supervisor.watch())
        stopping = asyncio.ensure_future(stop.wait())
        tasks: set[asyncio.Future[Any]] = {watching, stopping}
        if tour:
            touring = asyncio.ensure_future(_tour(city, report))
            await asyncio.wait({*tasks, touring}, return_when=asyncio.FIRST_COMPLETED)
            failed = await _result(touring)
        if not once and not stop.is_set():
            show_addresses(context)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
        say("stopping …")
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    return failed


async def _result(touring: "asyncio.Future[bool]") -> bool:
    if touring.done():
        return touring.result()
    touring.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await touring
    return True


async def _tour(city: RunningCity, report: Path) -> bool:
    await asyncio.sleep(1.5)  # let every feed be polled once
    tour = await take_tour(city, say)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(tour.page.html(), encoding="utf-8")
    say(f"\n[bold]Report with maps and charts:[/] {report}")
    for failure in tour.failures:
        say(f"[red]✗ {failure}[/]")
    if not tour.failures:
        say("[green]✓ everything answered as expected[/]")
    return bool(tour.failures)
