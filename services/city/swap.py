"""Keeping the newest snapshot at hand: requests that run on the old one keep it until they end."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from services.city.snapshot import CitySnapshot, current_epoch, open_snapshot

T = TypeVar("T")


class SnapshotHolder(Generic[T]):
    """Holds what a service makes of the current snapshot (engines, indices), and makes it anew when the pointer moves.

    A request calls `get` once and works with that value to its end: the old value, and with it the mapping of the old files,
    lives as long as anybody refers to it. If the new snapshot cannot be opened, the old one stays, and `refresh` raises.

    Parameters
    ----------
    home : Path
    city : str
    make : callable
        From the snapshot to the value; called outside any lock, in the thread that calls `refresh`.
    """

    def __init__(self, home: Path, city: str, make: Callable[[CitySnapshot], T]) -> None:
        self._home, self._city, self._make = home, city, make
        self._refreshing = threading.Lock()
        snapshot = open_snapshot(home, city)
        self._held = (snapshot, make(snapshot))

    @property
    def snapshot(self) -> CitySnapshot:
        """The snapshot of the value that `get` gives now."""
        return self._held[0]

    def get(self) -> T:
        """The value made of the newest snapshot that was opened."""
        return self._held[1]

    def refresh(self) -> bool:
        """Look whether the pointer moved, and if so open the new snapshot; call it every second or so.

        Returns
        -------
        bool
            Whether the value changed.

        Raises
        ------
        CityError
            If the new snapshot cannot be used; the old value stays.
        """
        with self._refreshing:
            if current_epoch(self._home, self._city) in (0, self._held[0].epoch):
                return False
            snapshot = open_snapshot(self._home, self._city)
            self._held = (snapshot, self._make(snapshot))
            return True
