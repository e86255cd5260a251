"""The zip a GTFS feed comes in: opened within bounds, files found whatever their folder or case, rows streamed."""

import codecs
import csv
import io
import zipfile
import zlib
from collections.abc import Iterator

from services.ingest.errors import FeedRejected
from services.ingest.limits import Limits
from services.ingest.sources.base import Findings
from services.ingest.sources.gtfs_tables import COLUMNS

csv.field_size_limit(1 << 20)
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)
_RATIO_FLOOR = 16 << 20


class Archive:
    """A checked GTFS archive: `names` maps the lower-case GTFS file name to the entry.

    Raises
    ------
    FeedRejected
        `bad_zip`, `zip_limit` or `zip_path`.
    """

    def __init__(self, body: bytes, limits: Limits, findings: Findings) -> None:
        self._findings = findings
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(body))
        except _ZIP_ERRORS as error:
            raise FeedRejected("bad_zip", f"not a zip archive: {error}") from error
        entries = self._zip.infolist()
        _check_entries(entries, limits)
        self.names = self._find_files(entries)

    def _find_files(self, entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        files = [entry for entry in entries if not entry.is_dir() and not _is_litter(entry.filename)]
        top = [entry for entry in files if "/" not in entry.filename]
        if not any(entry.filename.lower() in COLUMNS for entry in top):
            folders = {entry.filename.split("/")[0] for entry in files if entry.filename.count("/") == 1}
            for folder in sorted(folders):
                inside = [
                    entry for entry in files if entry.filename.startswith(folder + "/") and entry.filename.count("/") == 1
                ]
                if any(entry.filename.split("/")[1].lower() in COLUMNS for entry in inside):
                    self._findings.add("invalid_input_files_in_subfolder", "files are read from the sub-folder", folder)
                    top = inside
                    break
        names: dict[str, zipfile.ZipInfo] = {}
        for entry in top:
            name = entry.filename.rpartition("/")[2]
            lower = name.lower()
            if lower in COLUMNS and name != lower:
                self._findings.add("file_name_case", f"{name} is read as {lower}", name)
            if lower not in COLUMNS:
                self._findings.add("unknown_file", f"{name} is no GTFS file: ignored", name)
            elif lower in names:
                self._findings.add("duplicate_key", f"{name} stands twice in the archive: the first is read", name)
            else:
                names[lower] = entry
        return names

    def rows(self, name: str) -> Iterator[tuple[int, dict[str, str]]]:
        """Rows of a file as (line number, {column: trimmed value}); findings on form are noted on the way.

        Raises
        ------
        FeedRejected
            `bad_zip` when the entry cannot be unpacked.
        """
        entry = self.names.get(name)
        if entry is None:
            return
        try:
            yield from self._rows(name, entry)
        except _ZIP_ERRORS as error:
            raise FeedRejected("bad_zip", f"{name} cannot be unpacked: {error}", name) from error

    def _rows(self, name: str, entry: zipfile.ZipInfo) -> Iterator[tuple[int, dict[str, str]]]:
        encoding = self._encoding(name, entry)
        with self._zip.open(entry) as raw, io.TextIOWrapper(raw, encoding=encoding, errors="replace", newline="") as lines:
            reader = csv.reader(line.replace("\0", "") for line in lines)
            header: list[str] | None = None
            width = 0
            try:
                for row in reader:
                    if header is None:
                        header = self._header(name, row)
                        width = len(header)
                        continue
                    if not row or not any(row):
                        self._findings.add("empty_row", "empty row", f"{name}:{reader.line_num}")
                        continue
                    if len(row) != width:
                        self._findings.add(
                            "invalid_row_length", f"{len(row)} values under {width} columns", f"{name}:{reader.line_num}"
                        )
                        if len(row) > width:
                            continue
                    padded = row + [""] * (width - len(row))
                    yield reader.line_num, self._trim(name, reader.line_num, header, padded)
            except csv.Error as error:
                self._findings.add(
                    "csv_parsing_failed", f"{error}: the rest of the file is not read", f"{name}:{reader.line_num}"
                )
            if header is None:
                self._findings.add("empty_file", "the file has no header", name)

    def _trim(self, name: str, line: int, header: list[str], row: list[str]) -> dict[str, str]:
        values: dict[str, str] = {}
        for column, value in zip(header, row, strict=True):
            if not column:
                continue
            trimmed = value.strip()
            if trimmed != value:
                self._findings.add("leading_or_trailing_whitespaces", f"{column} {value!r} trimmed", f"{name}:{line}")
            if "\n" in trimmed or "\r" in trimmed:
                self._findings.add("new_line_in_value", f"{column} contains a line break", f"{name}:{line}")
            values[column] = trimmed
        return values

    def _header(self, name: str, row: list[str]) -> list[str]:
        """Column names, unknown and repeated ones blanked."""
        known = COLUMNS[name]
        header: list[str] = []
        for cell in row:
            column = cell.strip().lstrip("\ufeff")
            if column in header:
                self._findings.add("duplicated_column", f"column {column!r} stands twice", name)
                column = ""
            elif known and column not in known and column:
                self._findings.add("unknown_column", f"column {column[:60]!r} is not in GTFS", name)
            header.append(column)
        return header

    def columns(self, name: str) -> set[str]:
        """Column names of a file, without noting findings."""
        entry = self.names[name]
        encoding = self._encoding(name, entry, quiet=True)
        try:
            with self._zip.open(entry) as raw, io.TextIOWrapper(raw, encoding=encoding, errors="replace", newline="") as lines:
                first = next(csv.reader(line.replace("\0", "") for line in lines), [])
        except csv.Error:
            return set()
        except _ZIP_ERRORS as error:
            raise FeedRejected("bad_zip", f"{name} cannot be unpacked: {error}", name) from error
        return {cell.strip().lstrip("\ufeff") for cell in first}

    def _encoding(self, name: str, entry: zipfile.ZipInfo, quiet: bool = False) -> str:
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            with self._zip.open(entry) as raw:
                while chunk := raw.read(1 << 16):
                    decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            if not quiet:
                self._findings.add("invalid_character", f"not UTF-8 ({error.reason}): read as Windows-1252", name)
            return "cp1252"
        except _ZIP_ERRORS as error:
            raise FeedRejected("bad_zip", f"{name} cannot be unpacked: {error}", name) from error
        return "utf-8-sig"


def _check_entries(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(entries) > limits.zip_entries:
        raise FeedRejected("zip_limit", f"{len(entries)} entries, the limit is {limits.zip_entries}")
    total = 0
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or ":" in name.split("/")[0]:
            raise FeedRejected("zip_path", f"entry {entry.filename[:100]!r} leads outside the archive")
        if entry.flag_bits & 0x1:
            raise FeedRejected("bad_zip", f"entry {entry.filename[:100]!r} is encrypted")
        total += entry.file_size
        packed = max(entry.compress_size, 1)
        if total > limits.zip_bytes or (entry.file_size > _RATIO_FLOOR and entry.file_size > limits.zip_ratio * packed):
            raise FeedRejected("zip_limit", f"entry {entry.filename[:100]!r} unpacks to {entry.file_size} bytes")


def _is_litter(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rpartition("/")[2] in {".DS_Store", "Thumbs.db"}
