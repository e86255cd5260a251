"""Open a GTFS archive: bytes → tables of text, with everything odd about the files written down.

Hostile archives are bounded (number, size and expansion of files) before a byte is decoded.
"""

import io
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import polars as pl

from services.city.errors import CityInputError
from services.common.records import Finding

MAX_FILES = 200
MAX_FILE_BYTES = 2 << 30
MAX_TOTAL_BYTES = 4 << 30
MAX_EXPANSION = 1_000
"""Uncompressed over compressed size above which a file is taken for a bomb (real stop_times.txt stay under 40)."""

REQUIRED_COLUMNS = {
    "agency": ("agency_name", "agency_timezone"),
    "stops": ("stop_id",),
    "routes": ("route_id", "route_type"),
    "trips": ("trip_id", "route_id", "service_id"),
    "stop_times": ("trip_id", "stop_id", "stop_sequence", "arrival_time", "departure_time"),
}
"""Files and columns without which a feed cannot be used."""

OPTIONAL_COLUMNS = {
    "calendar": ("service_id", "start_date", "end_date"),
    "calendar_dates": ("service_id", "date", "exception_type"),
    "frequencies": ("trip_id", "start_time", "end_time", "headway_secs"),
    "transfers": ("from_stop_id", "to_stop_id"),
    "shapes": ("shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence"),
}
"""Optional files that are read; one of them that is broken is left out and reported."""


class GtfsError(CityInputError):
    """A GTFS feed that cannot be used at all.

    Parameters
    ----------
    code : str
        Name of the defect, as in the canonical GTFS validator where it has one.
    where : str
        The file.
    problem : str
        What is wrong and what to do.
    """

    def __init__(self, code: str, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem} [{code}]")
        self.code = code
        self.where = where


@dataclass(slots=True)
class GtfsTables:
    """The tables of one feed, every value trimmed text, "" where empty; and what was found odd while reading them."""

    name: str
    tables: dict[str, pl.DataFrame]
    findings: list[Finding] = field(default_factory=list)

    def column(self, table: str, name: str) -> list[str]:
        """Values of one column, all "" where the table lacks it."""
        frame = self.tables[table]
        return frame[name].to_list() if name in frame.columns else [""] * frame.height

    def report(self, code: str, severity: str, where: str, message: str) -> None:
        """Write down one finding."""
        self.findings.append(Finding(code, severity, f"{self.name}:{where}", message))  # type: ignore[arg-type]


def read_tables(path: Path, name: str = "") -> GtfsTables:
    """Read the files of a GTFS zip (or of an unpacked folder) that this program uses; findings say `name` for the feed.

    Raises
    ------
    GtfsError
        If the archive is truncated, damaged or a bomb, or a required file or column is missing.
    """
    feed = GtfsTables(name or path.name, {})
    contents = _read_folder(path) if path.is_dir() else _read_zip(path, feed)
    if not {"calendar", "calendar_dates"} & contents.keys():
        raise GtfsError(
            "missing_calendar_and_calendar_date_files", path.name, "has neither calendar.txt nor calendar_dates.txt"
        )
    for table, columns in REQUIRED_COLUMNS.items():
        if table not in contents:
            raise GtfsError("missing_required_file", path.name, f"has no {table}.txt: is it a GTFS feed?")
        feed.tables[table] = _parse(feed, table, contents[table], columns)
    for table, columns in OPTIONAL_COLUMNS.items():
        if table in contents:
            try:
                feed.tables[table] = _parse(feed, table, contents[table], columns)
            except GtfsError as error:
                feed.report(error.code, "warning", f"{table}.txt", f"left out: {error}")
    return feed


def _read_folder(path: Path) -> dict[str, bytes]:
    wanted = REQUIRED_COLUMNS.keys() | OPTIONAL_COLUMNS.keys()
    return {file.stem.lower(): file.read_bytes() for file in sorted(path.glob("*.txt")) if file.stem.lower() in wanted}


def _read_zip(path: Path, feed: GtfsTables) -> dict[str, bytes]:
    try:
        if path.stat().st_size == 0:
            raise GtfsError("empty_body", path.name, "is an empty file: fetch it again")
        with zipfile.ZipFile(path) as archive:
            return _read_members(archive, path.name, feed)
    except FileNotFoundError as error:
        raise GtfsError("missing_file", str(path), "does not exist: check the path in city.toml") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise GtfsError("bad_zip", path.name, f"is truncated or not a zip archive ({error}): fetch it again") from error


def _read_members(archive: zipfile.ZipFile, name: str, feed: GtfsTables) -> dict[str, bytes]:
    members = [info for info in archive.infolist() if not info.is_dir()]
    _check_bounds(members, name)
    wanted = REQUIRED_COLUMNS.keys() | OPTIONAL_COLUMNS.keys()
    contents: dict[str, bytes] = {}
    for info in sorted(members, key=lambda info: (info.filename.count("/"), info.filename)):
        inner = PurePosixPath(info.filename)
        table = inner.stem.lower()
        if inner.suffix.lower() != ".txt" or table not in wanted or table in contents or inner.parts[0] == "__MACOSX":
            continue
        if len(inner.parts) > 1:
            feed.report("invalid_input_files_in_subfolder", "warning", info.filename, "files lie in a sub-folder; read anyway")
        elif inner.name != inner.name.lower():
            feed.report("file_name_case", "warning", info.filename, "file name is not lower case; read anyway")
        contents[table] = archive.read(info)
    return contents


def _check_bounds(members: list[zipfile.ZipInfo], name: str) -> None:
    if len(members) > MAX_FILES:
        raise GtfsError("zip_too_many_files", name, f"holds {len(members)} files, at most {MAX_FILES} are accepted")
    if sum(info.file_size for info in members) > MAX_TOTAL_BYTES:
        raise GtfsError("zip_too_large", name, f"unpacks to more than {MAX_TOTAL_BYTES >> 30} GiB")
    for info in members:
        expanded = info.file_size > MAX_EXPANSION * max(info.compress_size, 1) and info.file_size > 1 << 20
        if info.file_size > MAX_FILE_BYTES or expanded:
            raise GtfsError("zip_bomb", name, f"{info.filename} unpacks to {info.file_size} bytes: refused")


def _parse(feed: GtfsTables, table: str, content: bytes, required: tuple[str, ...]) -> pl.DataFrame:
    """Decode one file; every column is trimmed text."""
    where = f"{table}.txt"
    try:
        text = content.removeprefix(b"\xef\xbb\xbf")
        text.decode("utf-8")
    except UnicodeDecodeError:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise GtfsError("missing_required_column", f"{feed.name}:{where}", "is UTF-16: GTFS files are UTF-8") from None
        feed.report("invalid_character", "warning", where, "is not UTF-8; read as ISO-8859-1")
        text = content.decode("latin-1").encode("utf-8")
    try:
        frame = pl.read_csv(io.BytesIO(text), infer_schema=False, truncate_ragged_lines=True)
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise GtfsError("csv_parsing_failed", f"{feed.name}:{where}", f"cannot be read as a table ({error})") from error
    frame = frame.rename({name: name.strip().strip('"').lower() for name in frame.columns})
    missing = [name for name in required if name not in frame.columns]
    if missing:
        raise GtfsError("missing_required_column", f"{feed.name}:{where}", f"has no column {', '.join(missing)}")
    frame = frame.with_columns(pl.all().fill_null(""))
    trimmed = frame.with_columns(pl.all().str.strip_chars())
    if not trimmed.equals(frame):
        feed.report("leading_or_trailing_whitespaces", "warning", where, "values are padded with spaces; trimmed")
    return trimmed
