"""Where cities lie under ``$TRABOULE_HOME``, and the pointer that says which snapshot is current.

::

    <home>/cities/<name>/current              {"epoch": 3, "snapshot": "5f0c…"}, replaced atomically
    <home>/cities/<name>/build.lock           held (flock) while building
    <home>/cities/<name>/snapshots/<id>/      immutable
    <home>/cities/<name>/snapshots/.building-…   left by a build that was killed; removed by the next one
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.city.errors import CityBuildBusyError, CityNotFoundError, SnapshotCorruptError

BUILDING = ".building-"


@dataclass(frozen=True, slots=True)
class Pointer:
    """The current snapshot of a city; `epoch` grows by one with every swap."""

    epoch: int
    snapshot: str


@dataclass(frozen=True, slots=True)
class CityHome:
    """The folder of one city."""

    folder: Path

    @classmethod
    def of(cls, home: Path, city: str) -> "CityHome":
        """Folder of `city` under the program's home."""
        return cls(home / "cities" / city)

    @property
    def snapshots(self) -> Path:
        """Folder of all snapshots."""
        return self.folder / "snapshots"

    def find_pointer(self) -> Pointer | None:
        """Which snapshot is current; None if the city was never built.

        Raises
        ------
        SnapshotCorruptError
            If the pointer is not readable.
        """
        path = self.folder / "current"
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            return Pointer(int(table["epoch"]), str(table["snapshot"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise SnapshotCorruptError(f"{path} is damaged ({error!r}): build the city again (traboule city build)") from error

    def get_pointer(self) -> Pointer:
        """Which snapshot is current.

        Raises
        ------
        CityNotFoundError
            If the city was never built.
        """
        pointer = self.find_pointer()
        if pointer is None:
            raise CityNotFoundError(
                f"the city {self.folder.name} has not been built under {self.folder.parent.parent}: run `traboule city build "
                f"cities/{self.folder.name}`"
            )
        return pointer

    def swap(self, snapshot: str) -> Pointer:
        """Make a snapshot the current one, atomically; the same one again keeps its epoch."""
        try:
            old = self.find_pointer()
        except SnapshotCorruptError:
            old = None
        if old is not None and old.snapshot == snapshot:
            return old
        new = Pointer(old.epoch + 1 if old else 1, snapshot)
        temporary = self.folder / f".current-{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump({"epoch": new.epoch, "snapshot": new.snapshot}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.folder / "current")
        return new

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the right to build; the system frees it when the process ends, however it ends.

        Raises
        ------
        CityBuildBusyError
            If another process holds it.
        """
        self.snapshots.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "build.lock", "a", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CityBuildBusyError(
                    f"another process is building {self.folder.name} (it holds {file.name}): wait until it has finished"
                ) from None
            yield

    def clean(self) -> None:
        """Remove what killed builds left; only while holding the lock."""
        for path in self.snapshots.glob(f"{BUILDING}*"):
            shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.glob(".current-*"):
            path.unlink(missing_ok=True)

    def prune(self, keep: int) -> None:
        """Remove all but the current and the `keep` newest snapshots; who has one open keeps its mapped files."""
        pointer = self.find_pointer()
        folders = [path for path in self.snapshots.iterdir() if path.is_dir() and not path.name.startswith(".")]
        folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in folders[keep:]:
            if pointer is None or path.name != pointer.snapshot:
                shutil.rmtree(path, ignore_errors=True)
