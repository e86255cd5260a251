"""How each mode moves: turn costs and speeds, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from routing.errors import InvalidInput
from routing.model.modes import StreetMode
from routing.model.street_graph import ROAD_CLASSES


@dataclass(frozen=True, slots=True)
class TurnCosts:
    """Time lost at junctions, in seconds, for traffic that keeps right (swap left and right elsewhere).

    A full turn is 60–120°; 30–60° costs half, sharper ones half more, straight on nothing. Starting values in the order of the
    control delays of the Highway Capacity Manual for unsaturated junctions; live speeds carry what exceeds them.
    """

    right_s: float = 2.5
    left_s: float = 5.0
    u_turn_s: float = 20.0
    signal_s: float = 8.0

    def __post_init__(self) -> None:
        for name in ("right_s", "left_s", "u_turn_s", "signal_s"):
            if not 0.0 <= getattr(self, name) <= 3600.0:
                raise InvalidInput(f"turn cost {name} = {getattr(self, name)} is not between 0 and 3600 s", name)


NO_TURN_COSTS = TurnCosts(0.0, 0.0, 0.0, 0.0)
"""Restrictions only."""

DEFAULT_TURN_COSTS: Mapping[StreetMode, TurnCosts] = MappingProxyType(
    {
        StreetMode.CAR: TurnCosts(),
        StreetMode.VAN: TurnCosts(),
        StreetMode.TRUCK: TurnCosts(right_s=4.0, left_s=7.0, u_turn_s=60.0, signal_s=10.0),
        StreetMode.BICYCLE: TurnCosts(right_s=1.0, left_s=3.0, u_turn_s=5.0, signal_s=8.0),
    }
)
"""Costs of the modes that turn arc by arc; walkers turn freely."""

NODE_BASED_MODES = frozenset({StreetMode.FOOT, StreetMode.WHEELCHAIR})
"""Modes without turn costs or restrictions: their search runs on nodes, not on arcs."""

_BICYCLE_FACTOR = {"track": 0.75, "path": 0.75, "footway": 0.6, "pedestrian": 0.4, "living_street": 0.85, "service": 0.85}
_FOOT_FACTOR = {"steps": 0.5}

BICYCLE_FACTORS = tuple(_BICYCLE_FACTOR.get(name, 1.0) for name in ROAD_CLASSES)
"""Share of the cyclist's speed by road class (pushing in pedestrian zones)."""
FOOT_FACTORS = tuple(_FOOT_FACTOR.get(name, 1.0) for name in ROAD_CLASSES)
"""Share of the walker's speed by road class."""


@dataclass(frozen=True, slots=True)
class SpeedOptions:
    """Speeds of a traveller or vehicle, km/h.

    Attributes
    ----------
    foot_kmh, wheelchair_kmh, bicycle_kmh : float
        On level, good ground.
    max_kmh : Mapping
        Cap by motor mode.
    """

    foot_kmh: float = 4.8
    wheelchair_kmh: float = 3.6
    bicycle_kmh: float = 16.0
    max_kmh: Mapping[StreetMode, float] = field(
        default_factory=lambda: MappingProxyType({StreetMode.CAR: 130.0, StreetMode.VAN: 110.0, StreetMode.TRUCK: 80.0})
    )

    def __post_init__(self) -> None:
        for name, low, high in (("foot_kmh", 0.5, 20.0), ("wheelchair_kmh", 0.5, 20.0), ("bicycle_kmh", 2.0, 60.0)):
            if not low <= getattr(self, name) <= high:
                raise InvalidInput(f"{name} = {getattr(self, name)} is not between {low} and {high} km/h", name)
        for mode, cap in self.max_kmh.items():
            if not 5.0 <= cap <= 250.0:
                raise InvalidInput(f"max_kmh[{mode.name}] = {cap} is not between 5 and 250 km/h", "max_kmh")


DEFAULT_SPEEDS = SpeedOptions()
