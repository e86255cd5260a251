"""The archive: for each feed one file of xz blocks, and `manifest.json`.

A block holds the bodies of a stretch of frames, one after the other; it is unpacked as a whole when one of them is wanted.
"""

import json
import lzma
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from services.recorded_day.errors import RecordedDayError

MANIFEST = "manifest.json"
FORMAT = 1
FRAMES_PER_BLOCK = 60
KEPT_BLOCKS = 2
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 64 << 20}]


@dataclass(frozen=True, slots=True)
class Block:
    """One xz block: where it lies in the file and how long its frames are."""

    offset: int
    size: int
    lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RecordedFeed:
    """One feed of the archive: frames every `step_s` from `begins_at` on; one frame only = it never changes."""

    feed_id: str
    kind: str
    path: str
    content_type: str
    step_s: int
    begins_at: int
    frames: int
    blocks: tuple[Block, ...]
    sites_path: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """A recorded day on disk.

    Attributes
    ----------
    city, note : str
    begins_at, ends_at : int
        Unix seconds of the first and last frame.
    suggested_start : int
        A good moment to start the city clock at.
    feeds : tuple of RecordedFeed
    events : dict
        What happens, for guided tours: ids, streets, times.
    """

    folder: Path
    city: str
    note: str
    begins_at: int
    ends_at: int
    suggested_start: int
    feeds: tuple[RecordedFeed, ...]
    events: dict[str, object]

    def find_feed(self, path: str) -> RecordedFeed | None:
        """Feed served at a URL path."""
        return next((feed for feed in self.feeds if feed.path == path), None)


def write_feed(
    folder: Path,
    feed_id: str,
    kind: str,
    content_type: str,
    step_s: int,
    begins_at: int,
    frames: Sequence[bytes],
    sites: str = "",
) -> RecordedFeed:
    """Pack the frames of one feed into its file."""
    blocks: list[Block] = []
    with (folder / f"{feed_id}.xz").open("wb") as file:
        for first in range(0, len(frames), FRAMES_PER_BLOCK):
            part = frames[first : first + FRAMES_PER_BLOCK]
            packed = lzma.compress(b"".join(part), lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=_FILTERS)
            blocks.append(Block(file.tell(), len(packed), tuple(len(frame) for frame in part)))
            file.write(packed)
    return RecordedFeed(
        feed_id, kind, f"/{feed_id}", content_type, step_s, begins_at, len(frames), tuple(blocks), f"/{sites}" if sites else ""
    )


def write_manifest(archive: Archive) -> None:
    """Write `manifest.json`."""
    content = asdict(archive)
    del content["folder"]
    text = json.dumps({"format": FORMAT, **content}, ensure_ascii=False, indent=1)
    (archive.folder / MANIFEST).write_text(text + "\n", "utf-8")


def read_archive(folder: Path) -> Archive:
    """Open an archive.

    Raises
    ------
    RecordedDayError
        If there is none, or of another format.
    """
    try:
        content = json.loads((folder / MANIFEST).read_text("utf-8"))
    except FileNotFoundError:
        raise RecordedDayError(
            f"there is no recorded day in {folder}; make one with `python -m services.recorded_day generate`"
        ) from None
    except ValueError as error:
        raise RecordedDayError(f"{folder / MANIFEST} is damaged ({error}); generate the recorded day again") from None
    if content.pop("format", None) != FORMAT:
        raise RecordedDayError(f"{folder / MANIFEST} has another format; generate the recorded day again")
    feeds = tuple(
        RecordedFeed(**{**feed, "blocks": tuple(Block(b["offset"], b["size"], tuple(b["lengths"])) for b in feed["blocks"])})
        for feed in content.pop("feeds")
    )
    return Archive(folder=folder, feeds=feeds, **content)


class FrameReader:
    """Bodies of frames; keeps the last few unpacked blocks. Thread-safe."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._blocks: OrderedDict[tuple[str, int], list[bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def frame(self, feed: RecordedFeed, index: int) -> bytes:
        """Body of frame `index`.

        Raises
        ------
        RecordedDayError
            If the file is missing or damaged.
        """
        number, place = divmod(index, FRAMES_PER_BLOCK)
        key = (feed.feed_id, number)
        with self._lock:
            found = self._blocks.get(key)
            if found is None:
                found = self._unpack(feed, feed.blocks[number])
                self._blocks[key] = found
                while len(self._blocks) > KEPT_BLOCKS * len(self._archive.feeds):
                    self._blocks.popitem(last=False)
            self._blocks.move_to_end(key)
            return found[place]

    def _unpack(self, feed: RecordedFeed, block: Block) -> list[bytes]:
        path = self._archive.folder / f"{feed.feed_id}.xz"
        try:
            with path.open("rb") as file:
                file.seek(block.offset)
                content = lzma.decompress(file.read(block.size), lzma.FORMAT_XZ)
        except (OSError, lzma.LZMAError, EOFError) as error:
            raise RecordedDayError(f"{path} is damaged or missing ({error}); generate the recorded day again") from error
        frames, first = [], 0
        for length in block.lengths:
            frames.append(content[first : first + length])
            first += length
        return frames
