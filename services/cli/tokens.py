"""``traboule token``: a token for curl and other clients of the embedded city."""

import click

from services.cli.context import CommandContext, plain_errors
from services.common.rules import Role
from services.common.tokens import issue_development_token


@click.command()
@click.option(
    "--role", type=click.Choice([role.value for role in Role], case_sensitive=False), default=Role.TRANSPORT_OPERATOR.value,
    show_default=True, help="What the bearer may do.",
)  # fmt: skip
@click.option("--minutes", type=click.IntRange(1, 12 * 60), default=60, show_default=True, help="How long it is valid.")
@click.pass_obj
@plain_errors
def token(context: CommandContext, role: str, minutes: int) -> None:
    """Print a development token of the running embedded city.

    \b
      curl -H "Authorization: Bearer $(traboule token)" http://127.0.0.1:PORT/v1/places:search?query=trindade
    """
    click.echo(issue_development_token(context.config.home, role, lifetime_s=60 * minutes))
