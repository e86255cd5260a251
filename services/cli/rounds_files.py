"""Files of ``traboule rounds``: which format they are in, and what they say."""

import codecs
import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import click
from google.protobuf.json_format import ParseDict, ParseError
from traboule.rounds.v1 import problem_pb2

from routing.rounds.errors import InvalidProblemError
from routing.rounds.formats.instance import Instance
from routing.rounds.formats.mamut import is_mamut, read_mamut
from routing.rounds.formats.plain import is_plain, read_plain
from routing.rounds.formats.vroom import is_vroom, read_vroom
from services.cli.rounds_orders import looks_like_orders

MOST_BYTES = 1 << 30
FORMATS = "rounds problems (JSON), VROOM (JSON), MAMUT (.vrp.json), Solomon/Homberger and Li & Lim (text), orders (CSV)"


@dataclass(frozen=True, slots=True)
class RoundsFile:
    """One of: a problem for the service, an instance, the text of a CSV file of orders."""

    format: str
    message: problem_pb2.Problem | None = None
    instance: Instance | None = None
    orders: str | None = None


def read_rounds_file(path: Path, objective: str | None = None, rounding: str = "double") -> RoundsFile:
    """Read a file in any of `FORMATS`, told by its content; gzip is unpacked.

    Parameters
    ----------
    objective : str, optional
        For benchmark files: key of `routing.rounds.formats.instance.OBJECTIVES`; None = what the format is scored by.

    Raises
    ------
    click.ClickException
        Naming the line or the field that is wrong.
    """
    text = read_text(path)
    try:
        if text.lstrip()[:1] in ("{", "["):
            return _of_json(path, _parse(path, text), objective)
        if is_plain(text):
            return RoundsFile("Solomon or Li & Lim", instance=read_plain(text, path.stem, objective or "distance", rounding))
    except InvalidProblemError as error:
        raise click.ClickException("\n".join(f"{path}: {one.field}: {one.message}" for one in error.findings)) from None
    if looks_like_orders(text):
        return RoundsFile("orders", orders=text)
    raise click.ClickException(f"{path} is in no format that is read; expected one of: {FORMATS}")


def read_text(path: Path) -> str:
    """Text of a file, unpacked.

    Raises
    ------
    click.ClickException
        It cannot be read, is too large or is no text.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as content:
            data = content.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise click.ClickException(f"{path} holds more than {MOST_BYTES >> 20} MiB; cut it into parts")
        return _decoded(data)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from None


def _decoded(data: bytes) -> str:
    """Text in UTF-8, in UTF-16 with a mark, or else, as older spreadsheets write it, in Windows-1252; JSON is UTF-8."""
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in data or data.lstrip()[:1] in (b"{", b"["):
            raise
        return data.decode("cp1252")


def _parse(path: Path, text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise click.ClickException(f"{path} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise click.ClickException(f"{path} is nested too deeply to be a rounds problem") from None


def _of_json(path: Path, table: object, objective: str | None) -> RoundsFile:
    if is_mamut(table):

        def sidecar(name: str) -> object:
            beside = path.parent / Path(name).name  # never outside the folder, whatever the file says
            beside = beside if beside.exists() else beside.with_name(beside.name + ".gz")
            return _parse(beside, read_text(beside))

        return RoundsFile("MAMUT", instance=read_mamut(table, sidecar, objective or "duration"))
    if is_vroom(table):
        return RoundsFile("VROOM", instance=read_vroom(table, path.stem))
    try:
        if not isinstance(table, dict):
            raise ParseError("an object with shipments and vehicles is expected")
        return RoundsFile("rounds problem", message=ParseDict(table.get("problem", table), problem_pb2.Problem()))
    except (ParseError, AttributeError, TypeError) as error:
        raise click.ClickException(
            f"{path} is not a rounds problem: {error}; see cities/porto/examples/deliveries.json"
        ) from None
