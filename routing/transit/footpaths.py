"""Footpaths between stops: replace those of a timetable, or make them from straight-line distances."""

import dataclasses

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.model.timetable import Int32, Timetable

EARTH_RADIUS_M = 6_371_000.0


def with_footpaths(
    timetable: Timetable, from_stop: npt.ArrayLike, to_stop: npt.ArrayLike, duration_s: npt.ArrayLike
) -> Timetable:
    """Return the timetable with these footpaths instead of its own; all other arrays are shared.

    Parameters
    ----------
    timetable : Timetable
    from_stop, to_stop : int32[w]
        Stop indices. A path from a stop to itself is dropped; of several between the same stops the shortest is kept.
    duration_s : int32[w]
        Seconds from alighting at one stop to being able to board at the other, at least 0.

    Raises
    ------
    InvalidInput
        If the arrays differ in length, a stop does not exist, or a duration is negative.
    """
    first, to, duration = pack_footpaths(timetable.stop_count, from_stop, to_stop, duration_s)
    return dataclasses.replace(timetable, first_footpath=first, footpath_to=to, footpath_s=duration)


def pack_footpaths(
    stop_count: int, from_stop: npt.ArrayLike, to_stop: npt.ArrayLike, duration_s: npt.ArrayLike
) -> tuple[Int32, Int32, Int32]:
    """Sort footpaths by stop and duration into `first_footpath`, `footpath_to` and `footpath_s` of `Timetable`."""
    source, target = np.asarray(from_stop, np.int64).ravel(), np.asarray(to_stop, np.int64).ravel()
    seconds = np.asarray(duration_s, np.int64).ravel()
    if not len(source) == len(target) == len(seconds):
        raise InvalidInput(
            f"footpaths: {len(source)} origins, {len(target)} destinations and {len(seconds)} durations", "footpaths"
        )
    if len(source) and not (min(source.min(), target.min()) >= 0 and max(source.max(), target.max()) < stop_count):
        raise InvalidInput(f"footpaths: a stop index lies outside 0..{stop_count - 1}", "footpaths")
    if len(seconds) and seconds.min() < 0:
        raise InvalidInput("footpaths: a duration is negative", "footpaths")
    keep = source != target
    source, target, seconds = source[keep], target[keep], seconds[keep]
    shortest = np.lexsort((seconds, target, source))
    source, target, seconds = source[shortest], target[shortest], seconds[shortest]
    new = np.ones(len(source), bool)
    new[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    source, target, seconds = source[new], target[new], seconds[new]
    order = np.lexsort((target, seconds, source))
    first = np.zeros(stop_count + 1, np.int32)
    np.cumsum(np.bincount(source, minlength=stop_count), out=first[1:])
    return first, target[order].astype(np.int32), seconds[order].astype(np.int32)


def beeline_m(
    from_lat_deg: npt.NDArray[np.float64],
    from_lon_deg: npt.NDArray[np.float64],
    to_lat_deg: npt.NDArray[np.float64],
    to_lon_deg: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Straight-line distance in metres (equirectangular: right within 0.1 % over the width of a city)."""
    mean = np.radians((from_lat_deg + to_lat_deg) / 2)
    x = np.radians(to_lon_deg - from_lon_deg) * np.cos(mean)
    y = np.radians(to_lat_deg - from_lat_deg)
    metres: npt.NDArray[np.float64] = EARTH_RADIUS_M * np.hypot(x, y)
    return metres
