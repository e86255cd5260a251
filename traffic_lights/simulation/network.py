"""Streets between signals as links with storage and travel time; the description, without state."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from traffic_lights.errors import InvalidIntersectionError
from traffic_lights.model.intersection import Intersection

VEHICLE_SPACE_M = 7.5
OUTSIDE_STORAGE_VEH = 1 << 30


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """A directed street.

    Attributes
    ----------
    id : int
        As in `Movement.approach` and `Movement.exit`.
    length_m, speed_mps : float
    lanes : int
    demand_vph : float
        Vehicles that enter the network here.
    """

    id: int
    length_m: float
    speed_mps: float = 11.1
    lanes: int = 1
    demand_vph: float = 0.0

    def __post_init__(self) -> None:
        if not (self.length_m > 0 and self.speed_mps > 0 and self.lanes >= 1 and 0 <= self.demand_vph < 1e5):
            raise InvalidIntersectionError(
                f"link {self.id}: needs a length, a speed, a lane, and a demand in [0, 100000) veh/h", "links"
            )


@dataclass(frozen=True, slots=True, eq=False)
class QueueNetwork:
    """Links and intersections ready to be simulated; l links, m movements of all intersections in their order.

    Attributes
    ----------
    intersections : tuple[Intersection, ...]
    link_ids : int64[l]
    link_travel_s, link_storage_veh : int32[l]
    link_rate_vps : float64[l]
    first_movement : int32[l + 1]
        Movements that leave link `a` are ``first_movement[a]:first_movement[a + 1]`` of the sorted movements.
    movement_from, movement_to, movement_group, movement_site : int32[m]
        Sorted by link; `movement_group` is the group within its intersection.
    movement_share, movement_flow_vps : float64[m]
    first_foe : int32[m + 1]
    foes : int32[…]
        Movements each movement gives way to.
    movement_order : tuple[int32[…], ...]
        Per intersection: its movements, in their own order, as positions in the sorted movements.
    """

    intersections: tuple[Intersection, ...]
    link_ids: npt.NDArray[np.int64]
    link_travel_s: npt.NDArray[np.int32]
    link_storage_veh: npt.NDArray[np.int32]
    link_rate_vps: npt.NDArray[np.float64]
    first_movement: npt.NDArray[np.int32]
    movement_from: npt.NDArray[np.int32]
    movement_to: npt.NDArray[np.int32]
    movement_group: npt.NDArray[np.int32]
    movement_site: npt.NDArray[np.int32]
    movement_share: npt.NDArray[np.float64]
    movement_flow_vps: npt.NDArray[np.float64]
    first_foe: npt.NDArray[np.int32]
    foes: npt.NDArray[np.int32]
    movement_order: tuple[npt.NDArray[np.int32], ...]


def build_network(intersections: tuple[Intersection, ...], links: tuple[LinkSpec, ...]) -> QueueNetwork:
    """Put intersections and links together; a link no movement leaves ends outside the network.

    Vehicles of an approach are shared among its movements in proportion to their lanes.

    Raises
    ------
    InvalidIntersectionError
        If a movement names an unknown link, or two intersections claim the same approach.
    """
    index = {link.id: k for k, link in enumerate(links)}
    if len(index) != len(links):
        raise InvalidIntersectionError("two links have the same id", "links")
    rows = []
    claimed: dict[int, int] = {}
    for site, x in enumerate(intersections):
        for k, m in enumerate(x.movements):
            if m.approach not in index or m.exit not in index:
                raise InvalidIntersectionError(f"intersection {x.id!r}: movement {k} names a link that is not given", "links")
            if claimed.setdefault(m.approach, site) != site:
                raise InvalidIntersectionError(f"link {m.approach} is the approach of two intersections", "links")
            rows.append((index[m.approach], site, k, m))
    rows.sort(key=lambda r: r[:3])
    position = {(site, k): p for p, (_, site, k, _) in enumerate(rows)}
    starts = np.array([r[0] for r in rows], np.int32)
    lanes = np.array([r[3].lanes for r in rows])
    total = np.bincount(starts, weights=lanes, minlength=len(links))
    has_exit = np.bincount(starts, minlength=len(links)) > 0
    foes = [_foes(intersections[site], k, site, position) for _, site, k, _ in rows]
    length = np.array([link.length_m for link in links])
    storage = np.maximum(1, length / VEHICLE_SPACE_M * [link.lanes for link in links]).astype(np.int32)
    return QueueNetwork(
        intersections,
        np.array([link.id for link in links], np.int64),
        np.maximum(1, np.rint(length / [link.speed_mps for link in links])).astype(np.int32),
        np.where(has_exit, storage, OUTSIDE_STORAGE_VEH).astype(np.int32),
        np.array([link.demand_vph / 3600.0 for link in links]),
        np.searchsorted(starts, np.arange(len(links) + 1)).astype(np.int32),
        starts,
        np.array([index[r[3].exit] for r in rows], np.int32),
        np.array([r[3].group for r in rows], np.int32),
        np.array([r[1] for r in rows], np.int32),
        lanes / np.maximum(total[starts], 1e-9),
        np.array([r[3].saturation_flow_vph / 3600.0 for r in rows]),
        np.cumsum([0] + [len(f) for f in foes]).astype(np.int32),
        np.array([p for f in foes for p in f], np.int32),
        tuple(np.array([position[s, k] for k in range(len(x.movements))], np.int32) for s, x in enumerate(intersections)),
    )


def _foes(x: Intersection, k: int, site: int, position: dict[tuple[int, int], int]) -> list[int]:
    """Movements of the groups that the group of movement `k` gives way to."""
    mine = x.movements[k].group
    return [position[site, j] for j, other in enumerate(x.movements) if x.yields[mine, other.group]]
