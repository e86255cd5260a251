"""The root of the ``traboule`` command."""

import os
import sys
import warnings
from pathlib import Path

import click

from services.cli.lazy import LazyGroup
from services.common.config import UnknownSettingWarning, load_config
from services.common.errors import ServiceError

COMMANDS = {
    "demo": (
        "services.cli.demo:demo",
        "Bring up the embedded city, tour it with real calls, write a report, stay up until Ctrl-C.",
    ),
    "serve": ("services.cli.serve:serve", "Run SERVICES (all, ingest, journeys, rounds, signals, edge) until Ctrl-C."),
    "city": ("services.cli.city:city", "Build, list, show and add cities."),
    "journey": ("services.cli.journeys:journey", "Plan journeys from ORIGIN to DESTINATION."),
    "departures": (
        "services.cli.journeys:departures",
        "Show the next departures at STOP (a stop id such as metro:5726, or a name).",
    ),
    "places": ("services.cli.journeys:places", "Find stops, streets, addresses and points of interest called QUERY."),
    "tour": ("services.cli.tours:tour", "Visit VISITS from START in the best order, by any mix of modes."),
    "street": ("services.cli.street:street", "Ways, travel times and pictures on the streets of the running city."),
    "rounds": ("services.cli.rounds_group:rounds", "Delivery rounds under predicted traffic."),
    "signals": ("services.cli.signals:signals", "Traffic signals: state, modes, overrides, performance, audit, simulation."),
    "parking": ("services.cli.feeds:parking", "Show car parks: free now, and how likely a space is free later."),
    "feeds": ("services.cli.feeds:feeds", "Health of the data feeds; push files."),
    "address": (
        "services.cli.address:address",
        "Print host:port of SERVICE (default: the edge, which serves REST and gRPC-Web).",
    ),
    "token": ("services.cli.tokens:token", "Print a development token of the running embedded city."),
}
"""Where each command is defined, and the first sentence of its help."""


@click.group(
    cls=LazyGroup, commands_at=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option("--home", type=click.Path(path_type=Path), help="Folder of built cities and run files (default: .traboule).")
@click.option("--city", "city_name", help="City meant (default: porto).")
@click.version_option(package_name="traboule")
@click.pass_context
def root(context: click.Context, home: Path | None, city_name: str | None) -> None:
    """Traboule runs the mobility of a metropolis: journeys, delivery rounds, traffic signals, feeds.

    \b
    Start here:
      traboule demo                          bring up the embedded city and tour it
      traboule journey Trindade Campanhã     in another terminal, while it runs
      traboule feeds status
      traboule city build cities/porto       compile a city; traboule serve all runs it

    Every command knows --help; most know --json.
    """
    if home is not None:
        os.environ["TRABOULE_HOME"] = str(home.absolute())
    if city_name is not None:
        os.environ["TRABOULE_CITIES"] = city_name
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnknownSettingWarning)
        try:
            config = load_config()
        except ServiceError as error:
            raise click.ClickException(str(error)) from None
    for warning in caught:
        click.echo(f"note: {warning.message}", err=True)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(config.home / "cache" / "numba"))
    from services.cli.context import CommandContext  # noqa: PLC0415 - not for --help

    context.obj = CommandContext(config)


def main() -> None:
    """Entry point: runs the command; exit status 0 done, 1 failed, 2 wrongly called."""
    try:
        root(prog_name="traboule")
    except KeyboardInterrupt:
        sys.exit(130)
