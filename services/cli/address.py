"""``traboule address``: where a service of the running city listens."""

import click

from services.cli.context import CommandContext, plain_errors
from services.common.endpoints import get_address
from services.supervisor.parts import PARTS


@click.command()
@click.argument("service", type=click.Choice(list(PARTS)), default="edge")
@click.pass_obj
@plain_errors
def address(context: CommandContext, service: str) -> None:
    """Print host:port of SERVICE (default: the edge, which serves REST and gRPC-Web)."""
    click.echo(get_address(context.config, service))
