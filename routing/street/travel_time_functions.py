"""Travel times of every arc as functions of the moment of entry.

Arcs share *profiles*: a table holds, slot by slot, how much longer than at free flow a profile takes; an arc has its free-flow
time and the number of its profile. `routing.street.traffic_functions` makes the table from the forecast of speeds.
Turn costs do not depend on the moment.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels import td_functions as kernels
from routing.kernels.td_functions import CLOSED, SLOT_MS, Functions
from routing.street.network import StreetNetwork, frozen

Int32 = npt.NDArray[np.int32]
Float32 = npt.NDArray[np.float32]

SLOT_S = SLOT_MS // 1000
PACE_BOUNDS = (1e-3, 1e3)
"""A thousand times quicker or slower than free flow is a mistake."""
MOST_SLOTS = 1100
"""Slots of one set of functions: moments must stay below 12.4 days, 2³⁰ milliseconds."""


@dataclass(frozen=True, slots=True, eq=False)
class TravelTimeFunctions:
    """Travel times of one network; immutable, so a request keeps one from start to end.

    Attributes
    ----------
    network : StreetNetwork
    start_s : int
        Unix second at which slot 0 begins. Moments are milliseconds since then.
    arrays : Functions
        Pace by slot and profile, and every arc's work and profile; see `routing.kernels.td_functions`.
    turn_ms : int32[e]
        Time lost in turning, `CLOSED` where the turn is forbidden.
    free_turn_ms : int32[e]
        The same with 0 for all turns that are allowed.
    """

    network: StreetNetwork
    start_s: int
    arrays: Functions
    turn_ms: Int32
    free_turn_ms: Int32

    @property
    def slot_count(self) -> int:
        """Number of slots."""
        return len(self.arrays.pace)

    @property
    def profile_count(self) -> int:
        """Number of profiles."""
        return int(self.arrays.pace.shape[1])

    def moment_ms(self, unix_s: float) -> int:
        """Milliseconds since the start of slot 0.

        Raises
        ------
        InvalidInput
            For a moment before slot 0, after the last slot, or none at all.
        """
        end_s = self.start_s + self.slot_count * SLOT_S
        if not self.start_s <= unix_s <= end_s:
            raise InvalidInput(
                f"{unix_s} is not between {self.start_s} and {end_s}: build travel times for the day wanted", "unix_s"
            )
        return round((unix_s - self.start_s) * 1000)

    def arrival_ms(self, arc: int, enter_ms: int) -> int:
        """Moment at which who enters `arc` at `enter_ms` leaves it; `FAR` and more = never."""
        if self.arrays.arc_work_ms[arc] == CLOSED:
            return CLOSED
        return int(kernels.arrival(enter_ms, self.arrays.arc_work_ms[arc], self.arrays.arc_profile[arc], self.arrays.pace))

    def pace_of(self, first_slot: int, last_slot: int, mean_share: float = 0.0) -> Float32:
        """Least pace of every profile in the slots ``first_slot … last_slot - 1`` (float32[profiles]).

        `mean_share`: how much of the way from the least to the mean pace (0 … 1).
        """
        rows = self.arrays.pace[first_slot:last_slot]
        least = rows.min(axis=0)
        if not mean_share:
            return frozen(least)
        return frozen(least + np.float32(mean_share) * (rows.mean(axis=0, dtype=np.float32) - least))

    def edge_ms(self, pace: Float32, *, lower: bool) -> Int32:
        """Weights of all edges (int32[e], `CLOSED` = no way) if every profile kept its pace; see `pace_of`."""
        out, net = np.empty(len(self.network.edge_arc), np.int32), self.network
        rounding = kernels.ROUNDING_SLACK if lower else 0.5
        kernels.edge_times(self.arrays, pace, rounding, net.edge_arc, self.turn_ms, out)
        return out


def travel_time_functions(
    network: StreetNetwork,
    start_s: int,
    pace: npt.ArrayLike,
    arc_work_ms: npt.ArrayLike,
    arc_profile: npt.ArrayLike,
    turn_ms: Int32 | None = None,
) -> TravelTimeFunctions:
    """Functions from tables.

    Parameters
    ----------
    network : StreetNetwork
    start_s : int
    pace : float[slots, profiles]
        Travel time over free-flow time.
    arc_work_ms : int[m]
        Free-flow times from 0; `CLOSED` (2³¹ - 1) and more = nobody may enter.
    arc_profile : int[m]
    turn_ms : int32[e], optional
        Of the mode that travels (`StreetMetric.turn_ms`), `CLOSED` where it may not turn; default: the network's own.

    Raises
    ------
    InvalidInput
        For paces that are no numbers within `PACE_BOUNDS`, unknown profiles, negative work, more than `MOST_SLOTS` slots, or
        turns that do not fit the network.
    """
    table, work, profile = np.asarray(pace, np.float32), np.asarray(arc_work_ms, np.int64), np.asarray(arc_profile, np.int64)
    if table.ndim != 2 or not 0 < len(table) <= MOST_SLOTS or not 0 < table.shape[1] <= 65_536:
        raise InvalidInput(f"pace {table.shape}: 1 to {MOST_SLOTS} slots of 1 to 65536 profiles are needed", "pace")
    low, high = PACE_BOUNDS
    wrong = np.argwhere(~((table >= low) & (table <= high)))
    if len(wrong):
        slot, column = wrong[0]
        raise InvalidInput(f"pace[{slot}, {column}] = {table[slot, column]} is not between {low} and {high}", "pace")
    arcs = len(network.arc_first_state) - 1 if network.edge_based else int(network.edge_arc.max(initial=-1)) + 1
    if work.ndim != 1 or work.shape != profile.shape or len(work) < arcs:
        raise InvalidInput(f"arc_work_ms {work.shape} and arc_profile {profile.shape}: {arcs} arcs are needed", "arc_work_ms")
    if len(work) and (work.min() < 0 or profile.min() < 0 or profile.max() >= table.shape[1]):
        raise InvalidInput("arc_work_ms must not be negative, arc_profile must name columns of pace", "arc_profile")
    columns = frozen(np.minimum(work, CLOSED).astype(np.int32)), frozen(profile.astype(np.uint16))
    turns = np.asarray(network.edge_cost_ms if turn_ms is None else turn_ms, np.int32)
    if turns.shape != network.edge_to.shape or (turns < 0).any():
        raise InvalidInput(f"turn_ms {turns.shape}: a time from 0 for each of {len(network.edge_to)} edges is due", "turn_ms")
    free = np.where(turns == CLOSED, CLOSED, 0).astype(np.int32)
    return TravelTimeFunctions(network, int(start_s), Functions(frozen(table), *columns), frozen(turns), frozen(free))
