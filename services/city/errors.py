"""Errors of city snapshots.

::

    CityError
    ├── CityConfigError        city.toml: a key that is missing, unknown or wrong
    ├── CityInputError         an input file (OSM, GTFS, …) that is missing or cannot be read
    ├── CityNotFoundError      no such city, or no snapshot of it yet
    ├── CityBuildBusyError     another process is building the same city
    ├── CityDownloadError      a source on the network that failed, or gave too much
    └── SnapshotError          stored arrays
        ├── SnapshotMissingError   a file or folder is not there
        ├── SnapshotCorruptError   a file is truncated or altered
        └── SnapshotFormatError    written for another version of the program
"""


class CityError(Exception):
    """Root of all errors of `services.city`; the message says what was wrong, where, and what to do."""


class CityConfigError(CityError):
    """A key of `city.toml` is missing, unknown or has a wrong value.

    Parameters
    ----------
    source : str
        The file.
    key : str
        Path of the key, such as ``gtfs[1].shift_days``.
    problem : str
        What is wrong, with the value, and what to do.
    """

    def __init__(self, source: str, key: str, problem: str) -> None:
        super().__init__(f"{source}: {key}: {problem}" if key else f"{source}: {problem}")
        self.source = source
        self.key = key
        self.problem = problem


class CityInputError(CityError):
    """An input file is missing or cannot be read."""


class CityNotFoundError(CityError):
    """There is no such city, or it has not been built."""


class CityBuildBusyError(CityError):
    """Another process is building the same city."""


class CityDownloadError(CityError):
    """A download failed or exceeded its limit."""


class SnapshotError(CityError):
    """Stored arrays cannot be used."""


class SnapshotMissingError(SnapshotError):
    """A stored file or folder is not there."""


class SnapshotCorruptError(SnapshotError):
    """A stored file is truncated or altered."""


class SnapshotFormatError(SnapshotError):
    """Stored by another version of the program."""
