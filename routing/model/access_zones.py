"""Zones that some vehicles may not enter, as arrays: what a city declares, laid on its streets."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.model.strings import StringTable
from routing.model.time_rules import TimeRules, no_rules

OPEN_S = 1 << 62
"""In `AccessZones.ends_s` for ever, negative in `starts_s` since ever."""


@dataclass(frozen=True, slots=True)
class AccessZones:
    """z rules of zones; one zone may have several, for kinds of vehicle or dates.

    Attributes
    ----------
    ids, names : StringTable [z]
        Of the zone; rules of one zone share them.
    modes : uint16[z]
        Bits of `StreetMode` it binds.
    from_class : uint8[z]
        Code of the cleanest emission class that may not enter (`routing.street.access_rules.EmissionClass`).
    starts_s, ends_s : int64[z]
        Unix seconds, the end not included; `OPEN_S` = for ever, ``-OPEN_S`` = since ever.
    hours_rule : int32[z]
        Row of `hours`.
    hours : TimeRules
        Local time.
    first_arc : int32[z + 1]
        Arcs of rule `k` are ``arcs[first_arc[k]:first_arc[k + 1]]``, ascending.
    arcs : int32[…]
    first_outline : int32[z + 1]
        Outlines of rule `k`, for pictures.
    first_point : int32[o + 1]
    point_lat_e7, point_lon_e7 : int32[p]
        Degrees × 10⁷; an outline is not repeated at its end.
    """

    ids: StringTable
    names: StringTable
    modes: npt.NDArray[np.uint16]
    from_class: npt.NDArray[np.uint8]
    starts_s: npt.NDArray[np.int64]
    ends_s: npt.NDArray[np.int64]
    hours_rule: npt.NDArray[np.int32]
    hours: TimeRules
    first_arc: npt.NDArray[np.int32]
    arcs: npt.NDArray[np.int32]
    first_outline: npt.NDArray[np.int32]
    first_point: npt.NDArray[np.int32]
    point_lat_e7: npt.NDArray[np.int32]
    point_lon_e7: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        count = len(self.ids)
        for name in ("names", "modes", "from_class", "starts_s", "ends_s", "hours_rule"):
            if len(getattr(self, name)) != count:
                raise InvalidInput(f"access zones: {name} has {len(getattr(self, name))} entries for {count} rules", name)
        for name in ("first_arc", "first_outline"):
            if len(getattr(self, name)) != count + 1:
                raise InvalidInput(f"access zones: {name} does not fit {count} rules", name)

    def __len__(self) -> int:
        return len(self.ids)

    def arcs_of(self, row: int) -> npt.NDArray[np.int32]:
        """Arcs that a rule closes."""
        return self.arcs[self.first_arc[row] : self.first_arc[row + 1]]

    def starts(self, row: int) -> int | None:
        """When a rule begins to hold, unix seconds; None = since ever."""
        return None if self.starts_s[row] == -OPEN_S else int(self.starts_s[row])

    def ends(self, row: int) -> int | None:
        """When a rule ends, unix seconds; None = never."""
        return None if self.ends_s[row] == OPEN_S else int(self.ends_s[row])

    def outlines_of(self, row: int) -> list[list[tuple[float, float]]]:
        """Outlines (lat, lon) in degrees."""
        rings = []
        for outline in range(int(self.first_outline[row]), int(self.first_outline[row + 1])):
            points = slice(int(self.first_point[outline]), int(self.first_point[outline + 1]))
            lat, lon = self.point_lat_e7[points] * 1e-7, self.point_lon_e7[points] * 1e-7
            rings.append(list(zip(lat.tolist(), lon.tolist(), strict=True)))
        return rings


def no_zones() -> AccessZones:
    """Return the zones of a city that has none."""
    names, ints, first = StringTable.build([]), np.zeros(0, np.int32), np.zeros(1, np.int32)
    wide = np.zeros(0, np.int64)
    return AccessZones(
        names, names, np.zeros(0, np.uint16), np.zeros(0, np.uint8), wide, wide, ints, no_rules(), first, ints, first, first,
        ints, ints,
    )  # fmt: skip
