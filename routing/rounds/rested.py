"""From the labels of a round with rests by the time driven (`rounds_driving`) to its stops."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from routing.kernels.rounds_driving import DROVE, ON_THE_ROAD, PAUSED, RESTED, SERVED, Book
from routing.rounds.plan import PlannedBreak, RoadRest


@dataclass(slots=True)
class Halt:
    """What happens from leaving one stop to leaving the next; without `service` the way to the end."""

    arrival_s: float = np.nan
    service: tuple[float, float] | None = None
    road_rests: tuple[RoadRest, ...] = ()
    breaks_before: tuple[PlannedBreak, ...] = ()
    breaks_after: tuple[PlannedBreak, ...] = ()


def list_halts(book: Book, last: int) -> list[Halt]:
    """Halts of a round in order, from its last label backwards; L or, with a way to the end, L + 1."""
    halts, labels = [Halt()], list(_back(book, last))[::-1]
    left_today = float(book.today_s[labels[0]])
    for n in labels:
        begin, end, action, here = float(book.begin_s[n]), float(book.time_s[n]), int(book.action[n]), halts[-1]
        if action in (RESTED, PAUSED):
            rest = PlannedBreak(begin, end, action == RESTED)
            if here.service is not None:
                here.breaks_after += (rest,)
            elif np.isnan(here.arrival_s):  # where the round starts
                here.road_rests += (RoadRest(0.0, begin, end),)
            else:
                here.breaks_before += (rest,)
        elif action == SERVED:
            here.service = (begin, end)
        elif action in (ON_THE_ROAD, DROVE):
            if here.service is not None:
                halts.append(here := Halt())
            if action == ON_THE_ROAD:
                here.road_rests += (RoadRest(float(book.today_s[n]) - left_today, begin, end),)
            else:
                here.arrival_s, left_today = end, float(book.today_s[n])
    return halts


def _back(book: Book, n: int) -> Iterator[int]:
    """Labels from `n` back to the start."""
    while n >= 0:
        yield n
        n = int(book.parent[n])
