"""What commands print: tables for people, JSON for programs."""

import datetime as dt
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal
from zoneinfo import ZoneInfo

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 2000
"""Columns where nobody looks at a terminal: lines of files and pipes are not broken."""
console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH)


NOTHING = ("", "0", "+0")
"""Cells that say nothing, in sparse tables."""


def print_json(message: Message | Any) -> None:
    """Print a proto message (field names as in the contract) or any plain value as JSON."""
    value = MessageToDict(message, preserving_proto_field_name=True) if isinstance(message, Message) else message
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str | None = None,
    right: Iterable[int] = (),
    whole: Iterable[int] = (),
    sparse: bool = False,
) -> None:
    """Print a table; columns in `right` are set right, those in `whole` (ids) are never broken.

    Cells are shown as they are; a coloured one is a rich `Text`. `sparse` leaves out columns of blanks and zeros.
    """
    rows = list(rows)
    if sparse and rows:
        kept = [k for k in range(len(header)) if k == 0 or any(str(row[k]) not in NOTHING for row in rows)]
        right, whole = ([kept.index(k) for k in columns if k in kept] for columns in (right, whole))
        header, rows = [header[k] for k in kept], [[row[k] for k in kept] for row in rows]
    table = Table(title=title and plain(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    numbers, unbroken = set(right), set(whole)
    for k, name in enumerate(header):
        justify: Literal["left", "right"] = "right" if k in numbers else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=k in unbroken)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else plain(cell) for cell in row))
    console.print(table)


def plain(value: object) -> str:
    """Text from elsewhere (names, alerts, ids) as it is: brackets in it are no markup."""
    return escape(str(value))


def say(text: str) -> None:
    """Print a line of rich markup; what comes from elsewhere must be `plain`."""
    console.print(text)


def clock(unix_s: int, timezone: ZoneInfo, *, seconds: bool = False) -> str:
    """Local time of day."""
    return f"{dt.datetime.fromtimestamp(unix_s, timezone):{'%H:%M:%S' if seconds else '%H:%M'}}"


def duration(seconds: float) -> str:
    """``42 s``, ``7 min``, ``1 h 05``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d}"


def distance(metres: float) -> str:
    """``340 m``, ``2.1 km``."""
    return f"{round(metres, -1):.0f} m" if metres < 995 else f"{metres / 1000:.1f} km"


def parse_when(text: str | None, timezone: ZoneInfo, now_s: int) -> int:
    """Unix seconds of ``08:30``, ``2026-07-28 08:30``, ``+20min`` or nothing (0).

    Raises
    ------
    click.BadParameter
        If it is none of these.
    """
    if not text:
        return 0
    today = dt.datetime.fromtimestamp(now_s, timezone)
    if text.startswith("+"):
        try:
            return now_s + 60 * int(text[1:].removesuffix("min").strip())
        except ValueError:
            pass
    for pattern in ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"):
        try:
            moment = dt.datetime.strptime(text, pattern)
        except ValueError:
            continue
        if "%Y" not in pattern:
            moment = moment.replace(year=today.year, month=today.month, day=today.day)
        return int(moment.replace(tzinfo=timezone).timestamp())
    raise click.BadParameter(f"{text!r} is no time; write 08:30, '2026-07-28 08:30' or +20min")
