"""``traboule rounds`` with all its commands."""

from services.cli.rounds_compare import compare
from services.cli.rounds_explain import explain, price
from services.cli.rounds_live import rounds
from services.cli.rounds_value import value

__all__ = ["rounds"]

for command in (value, explain, price, compare):
    rounds.add_command(command)
