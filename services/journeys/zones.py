"""What the zones of a city mean for one vehicle: where it may not go, and what an answer says of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from traboule.common.v1 import vehicle_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb

from routing.errors import Unreachable
from routing.model.modes import StreetMode
from routing.street.access_rules import AccessRules, EmissionClass
from routing.street.api import Snaps
from services.city.zone_words import closed_to, zone_in_words
from services.journeys.request_mapping import emission_class
from services.journeys.view import MOTOR_MODES, JourneyView

AVOIDED, ENTERED = vehicle_pb2.ZoneRemark.EFFECT_AVOIDED, vehicle_pb2.ZoneRemark.EFFECT_ENTERED

MOST_NOTICES = 20


@dataclass(frozen=True, slots=True)
class VehicleZones:
    """Zones as they bind one vehicle at one departure.

    Attributes
    ----------
    rules : AccessRules
    reverse : int32[m]
        The other direction of every arc, -1 = none.
    emission : EmissionClass
        The vehicle's; one that is not given is taken to be the cleanest.
    closed : tuple of int
        Rows of the zones' rules that keep it out.
    unknown : tuple of int
        Rows that would keep it out if it were dirty, its class not being given.
    """

    rules: AccessRules
    reverse: npt.NDArray[np.int32]
    emission: EmissionClass
    closed: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, view: JourneyView, mode: StreetMode, time_s: int, wanted: pb.TravelPreferences, *, live: bool
    ) -> "VehicleZones":
        """Zones for a mode and the class that `wanted` names, if any."""
        given, metrics = emission_class(wanted), view.street_times(live=live)
        emission = EmissionClass.ELECTRIC if given is None else given
        rules, reverse = metrics.traffic.rules, view.network.street.graph.arc_reverse
        if mode not in MOTOR_MODES:
            return cls(rules, reverse, emission)
        closed = metrics.zones_holding(mode, time_s, emission)
        worst = metrics.zones_holding(mode, time_s, EmissionClass.UNCLASSIFIED) if given is None else ()
        return cls(rules, reverse, emission, closed, tuple(row for row in worst if row not in closed))

    def around(self, snap: Snaps, i: int = 0) -> tuple[int, ...]:
        """Rows that keep the vehicle out of the street position `i` stands on, in every direction there is."""
        arcs = [arc for arc in (int(snap.arc[i]), int(self.reverse[snap.arc[i]])) if arc >= 0]
        return self.rules.zones_on(self.closed, arcs) if self.closed and int(snap.arc[i]) >= 0 else ()

    def closed_place(self, snap: Snaps, field: str, i: int = 0) -> str:
        """Why a place cannot be reached or left, in words; empty if no zone is in the way."""
        rows = self.around(snap, i)
        if not rows:
            return ""
        return f"{field} lies in {zone_in_words(self.rules, rows[0])} at that time; choose another place, time or vehicle"

    def check(self, places: Iterable[tuple[str, Snaps]]) -> None:
        """Refuse places that the vehicle may not go to.

        Raises
        ------
        Unreachable
            Naming the first of them, and its zone.
        """
        for field, snap in places:
            if sentence := self.closed_place(snap, field):
                raise Unreachable(sentence, field=field)

    def notices(self, groups: Iterable[tuple[str, Snaps]]) -> list[str]:
        """Places of a list that the vehicle may not go to, in words; at most `MOST_NOTICES`."""
        found: list[str] = []
        if self.closed:
            arcs = np.unique(np.concatenate([self.rules.rules[row].arcs for row in self.closed]))
            for field, snaps in groups:
                for i in np.flatnonzero(np.isin(snaps.arc, arcs)).tolist():
                    if sentence := self.closed_place(snaps, f"{field}[{i}]", i):
                        found.append(sentence)
                    if len(found) == MOST_NOTICES:
                        return found
        return found

    def list_closed(self) -> list[str]:
        """All zones that keep the vehicle out, in words."""
        return list(dict.fromkeys(zone_in_words(self.rules, row) for row in self.closed))

    def remarks(self, arcs: npt.NDArray[np.int32], open_arcs: npt.NDArray[np.int32] | None) -> list[vehicle_pb2.ZoneRemark]:
        """What to say of a way: zones it enters though some may not, and those the best way without zones would lead through.

        Parameters
        ----------
        arcs : int32[…]
            Of the way.
        open_arcs : int32[…] or None
            Of the best way if there were no zones; None = not known.
        """
        remarks = [self._remark(row, ENTERED) for row in self.rules.zones_on(self.unknown, arcs)]
        if open_arcs is not None:
            remarks += [self._remark(row, AVOIDED) for row in self.rules.zones_on(self.closed, open_arcs)]
        return remarks

    def _remark(self, row: int, effect: "vehicle_pb2.ZoneRemark.Effect.ValueType") -> vehicle_pb2.ZoneRemark:
        rule = self.rules.rules[row]
        code = vehicle_pb2.EmissionClass.values()[int(rule.from_class) + 1]
        return vehicle_pb2.ZoneRemark(
            zone_id=rule.zone_id, name=rule.name, effect=effect, closed_from=code, hours=self.rules.hours_text(row)
        )


def sentences(remarks: Sequence[vehicle_pb2.ZoneRemark]) -> Iterator[str]:
    """Remarks in words, for the notices of an itinerary."""
    for remark in remarks:
        who = closed_to(EmissionClass(remark.closed_from - 1), remark.hours)
        if remark.effect == AVOIDED:
            yield f"keeps out of the zone {remark.name}, which is closed to {who}"
        else:
            yield f"leads through the zone {remark.name}, which is closed to {who}: say the vehicle's emission class"


def note(itinerary: pb.Itinerary, remarks: Sequence[vehicle_pb2.ZoneRemark]) -> None:
    """Write remarks on an itinerary, as data and in words."""
    itinerary.zones.extend(remarks)
    itinerary.notices.extend(sentences(remarks))
