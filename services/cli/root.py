"""The root of the ``traboule`` command."""

import os
import sys
import warnings
from pathlib import Path

import click

from services.cli.address import address
from services.cli.city import city
from services.cli.context import CommandContext
from services.cli.demo import demo
from services.cli.feeds import feeds, parking
from services.cli.journeys import departures, journey, places
from services.cli.rounds_compare import compare
from services.cli.rounds_explain import explain, price
from services.cli.rounds_live import rounds
from services.cli.rounds_value import value
from services.cli.serve import serve
from services.cli.signals import signals
from services.cli.street import street
from services.cli.tokens import token
from services.cli.tours import tour
from services.common.config import UnknownSettingWarning, load_config
from services.common.errors import ServiceError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
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
    context.obj = CommandContext(config)


for command in (demo, serve, city, journey, departures, places, tour, street, rounds, signals, parking, feeds, address, token):
    root.add_command(command)
for command in (value, explain, price, compare):
    rounds.add_command(command)


def main() -> None:
    """Entry point: runs the command; exit status 0 done, 1 failed, 2 wrongly called."""
    try:
        root(prog_name="traboule")
    except KeyboardInterrupt:
        sys.exit(130)
