"""`[[elevation]]` of `city.toml`: where heights come from besides the map."""

import re
from dataclasses import dataclass

from services.city.table_reader import FieldProblemError


@dataclass(frozen=True, slots=True)
class ElevationInput:
    """Tiles of an elevation model in the SRTM format: one `file` (``N41W009.hgt``), or a `folder` of them.

    `url` is where ``traboule city update --elevation`` fetches them from, as they are or packed with gzip. For a folder it is a
    template: ``{tile}`` stands for ``N41W009``, ``{row}`` for ``N41``. Earlier entries count first, later ones fill their gaps.
    """

    file: str = ""
    folder: str = ""
    url: str = ""
    sha256: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        if bool(self.file) == bool(self.folder):
            raise FieldProblemError("file", "give either the `file` of one tile or the `folder` of several")
        if "\0" in self.file + self.folder:
            raise FieldProblemError("file", "holds a zero byte: give the path of a file")
        if self.url and not re.match(r"https?://[^\s/]+", self.url):
            raise FieldProblemError("url", f"{self.url!r} must start with https:// or http://")
        if self.folder and self.url and "{tile}" not in self.url:
            raise FieldProblemError("url", f"{self.url!r} names no tile: write {{tile}} where N41W009 belongs")
        if self.sha256 and (self.folder or not re.fullmatch(r"[0-9a-f]{64}", self.sha256)):
            raise FieldProblemError("sha256", f"{self.sha256!r} must be 64 hexadecimal digits, and of one `file`")
