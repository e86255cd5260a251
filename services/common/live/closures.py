"""Closures of live feeds as access rules: from when to when, for which vehicles."""

from collections.abc import Mapping

import numpy as np

from routing.model.modes import StreetMode
from routing.street.access_rules import MOTOR_BITS, AccessRule
from services.common.live.traffic import CLOSING, LiveTraffic

MODES: Mapping[str, StreetMode] = {"car": StreetMode.CAR, "van": StreetMode.VAN, "truck": StreetMode.TRUCK}


def closure_rules(traffic: LiveTraffic, lasting_s: int) -> tuple[AccessRule, ...]:
    """Rules of all closures in force or announced; those alike in time and vehicles are one.

    Parameters
    ----------
    traffic : LiveTraffic
    lasting_s : int
        How long a closure that is in force and says no end is taken to last from `traffic.at` on, seconds.
    """
    groups: dict[tuple[int, int, int], list[np.ndarray[tuple[int], np.dtype[np.int32]]]] = {}
    for event in traffic.events:
        arcs = traffic.event_arcs.get(f"{event.feed}|{event.entity}")
        if event.kind not in CLOSING or arcs is None or not len(arcs):
            continue
        modes = sum(MODES[word].bit for word in set(event.vehicles)) or MOTOR_BITS
        starts_s = max(event.starts_at or 0, traffic.at)
        ends_s = starts_s + lasting_s + 1 if event.ends_at is None else event.ends_at
        groups.setdefault((starts_s if starts_s > traffic.at else 0, ends_s, modes), []).append(arcs)
    return tuple(
        AccessRule(
            np.unique(np.concatenate(arcs)).astype(np.int32), modes, starts_s=starts_s or None, ends_s=ends_s, name="closure"
        )
        for (starts_s, ends_s, modes), arcs in sorted(groups.items(), key=lambda item: item[0])
    )
