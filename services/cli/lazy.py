"""A group of commands that are imported when they are called, so that help and small commands need no engine."""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands' modules are imported when one is called.

    Parameters
    ----------
    commands_at : Mapping
        By name: where the command is (``package.module:attribute``) and the first sentence of its help, for the list of
        commands.
    """

    def __init__(self, *args: Any, commands_at: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, sorted."""
        return sorted({*super().list_commands(ctx), *self.commands_at})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None for an unknown name."""
        if cmd_name not in self.commands_at:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.commands_at[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        names = self.list_commands(ctx)
        room = formatter.width - 6 - max(map(len, names))
        listed = (click.Command(name, help=self.commands_at[name][1]) for name in names)
        rows = [(str(one.name), one.get_short_help_str(room)) for one in listed]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
