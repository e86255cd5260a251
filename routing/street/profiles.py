"""How each mode moves: turn costs and speeds, as plain data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

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
        StreetMode.CARGO_BIKE: TurnCosts(right_s=1.5, left_s=3.5, u_turn_s=8.0, signal_s=8.0),
    }
)
"""Costs of the modes that turn arc by arc; walkers turn freely."""

NODE_BASED_MODES = frozenset({StreetMode.FOOT, StreetMode.WHEELCHAIR})
"""Modes without turn costs or restrictions: their search runs on nodes, not on arcs."""

NETWORK_CLASSES: tuple[tuple[StreetMode, ...], ...] = (
    (StreetMode.CAR, StreetMode.VAN, StreetMode.TRUCK),
    (StreetMode.BICYCLE, StreetMode.CARGO_BIKE),
    (StreetMode.FOOT,),
    (StreetMode.WHEELCHAIR,),
)
"""Modes that share one network and one hierarchy; each answers by weights of its own."""


def classes_of(mode: StreetMode) -> tuple[StreetMode, ...]:
    """Modes that share a network with `mode`; the first one lends it its name."""
    return next(classes for classes in NETWORK_CLASSES if mode in classes)


CYCLE_MODES = frozenset({StreetMode.BICYCLE, StreetMode.CARGO_BIKE})

_BICYCLE_FACTOR = {"track": 0.75, "path": 0.75, "footway": 0.6, "pedestrian": 0.4, "living_street": 0.85, "service": 0.85}
_FOOT_FACTOR = {"steps": 0.5}

BICYCLE_FACTORS = tuple(_BICYCLE_FACTOR.get(name, 1.0) for name in ROAD_CLASSES)
"""Share of the cyclist's speed by road class (pushing in pedestrian zones)."""
FOOT_FACTORS = tuple(_FOOT_FACTOR.get(name, 1.0) for name in ROAD_CLASSES)
"""Share of the walker's speed by road class."""

SMOOTHNESS_FACTORS: Mapping[StreetMode, tuple[float, ...]] = MappingProxyType(
    {
        StreetMode.BICYCLE: (1.0, 1.0, 1.0, 0.85, 0.65, 0.45, 0.3, 0.2),
        StreetMode.CARGO_BIKE: (1.0, 1.0, 1.0, 0.8, 0.55, 0.35, 0.25, 0.15),
        StreetMode.FOOT: (1.0, 1.0, 1.0, 1.0, 0.95, 0.85, 0.7, 0.6),
        StreetMode.WHEELCHAIR: (1.0, 1.0, 0.95, 0.8, 0.5, 0.3, 0.2, 0.1),
    }
)
"""Share of the speed by `SMOOTHNESS`; that of cars is in `StreetGraph.arc_speed_kmh` already."""

STEEPEST_PCT = 60
_UPHILL_PCT = (-60, -15, -8, -4, 0, 2, 4, 6, 8, 10, 15, 60)
_RIDING = (0.3, 0.9, 1.3, 1.25, 1.0, 0.8, 0.6, 0.45, 0.36, 0.3, 0.22, 0.1)
_SLOPES = tuple(range(-STEEPEST_PCT, STEEPEST_PCT + 1))


def _riding(slope_pct: float, help_share: float) -> float:
    """Share of a cyclist's speed at a slope at about equal power; a motor gives back `help_share` of what is lost uphill."""
    share = float(np.interp(slope_pct, _UPHILL_PCT, _RIDING))
    return share + help_share * (1.0 - share) if slope_pct > 0 else share


def _walking(slope_pct: float) -> float:
    """Share of a walker's speed at a slope: Tobler's hiking function (1993), 1 on level ground."""
    return math.exp(-3.5 * (abs(slope_pct / 100.0 + 0.05) - 0.05))


INCLINE_FACTORS: Mapping[StreetMode, tuple[float, ...]] = MappingProxyType(
    {
        StreetMode.BICYCLE: tuple(_riding(slope, 0.0) for slope in _SLOPES),
        StreetMode.CARGO_BIKE: tuple(_riding(slope, 0.5) for slope in _SLOPES),
        StreetMode.FOOT: tuple(_walking(slope) for slope in _SLOPES),
        StreetMode.WHEELCHAIR: tuple(_walking(slope) * max(0.3, 1.0 - abs(slope) / 12.0) for slope in _SLOPES),
    }
)
"""Share of the speed by incline, −60 % to 60 %."""


@dataclass(frozen=True, slots=True)
class VehicleLimits:
    """Outer measures of a vehicle as loaded; 0 = does not matter.

    Attributes
    ----------
    height_m, width_m, length_m : float
    weight_t, axle_load_t : float
        Total, and of the heaviest axle.
    """

    height_m: float = 0.0
    width_m: float = 0.0
    length_m: float = 0.0
    weight_t: float = 0.0
    axle_load_t: float = 0.0

    def __post_init__(self) -> None:
        for name, high in (("height_m", 10), ("width_m", 10), ("length_m", 100), ("weight_t", 500), ("axle_load_t", 100)):
            if not 0.0 <= getattr(self, name) <= high:
                raise InvalidInput(f"vehicle {name} = {getattr(self, name)} is not between 0 and {high}", name)

    @property
    def measures(self) -> tuple[float, ...]:
        """In the order of `LIMITS`, metres and tonnes."""
        return self.height_m, self.width_m, self.length_m, self.weight_t, self.axle_load_t


DEFAULT_LIMITS: Mapping[StreetMode, VehicleLimits] = MappingProxyType(
    {
        StreetMode.VAN: VehicleLimits(2.6, 2.1, 6.0, 3.5, 2.2),
        StreetMode.TRUCK: VehicleLimits(3.8, 2.55, 10.0, 18.0, 11.5),
        StreetMode.CARGO_BIKE: VehicleLimits(width_m=0.9),
    }
)
"""Usual vehicles: a van of 3.5 t, a two-axle truck of 18 t, a two-wheeled or three-wheeled cargo bike."""


@dataclass(frozen=True, slots=True)
class SpeedOptions:
    """Speeds of a traveller or vehicle, km/h.

    Attributes
    ----------
    foot_kmh, wheelchair_kmh, bicycle_kmh, cargo_bike_kmh : float
        On level, good ground.
    max_kmh : Mapping
        Cap by motor mode.
    limits : Mapping
        Measures of the vehicle by mode; a mode left out fits everywhere.
    wheelchair_max_incline_pct : float
        Steeper streets are closed to wheelchairs, up and down.
    """

    foot_kmh: float = 4.8
    wheelchair_kmh: float = 3.6
    bicycle_kmh: float = 16.0
    cargo_bike_kmh: float = 14.0
    max_kmh: Mapping[StreetMode, float] = field(
        default_factory=lambda: MappingProxyType({StreetMode.CAR: 130.0, StreetMode.VAN: 110.0, StreetMode.TRUCK: 80.0})
    )
    limits: Mapping[StreetMode, VehicleLimits] = field(default_factory=lambda: DEFAULT_LIMITS)
    wheelchair_max_incline_pct: float = 12.0

    def __post_init__(self) -> None:
        for name, low, high, unit in (
            ("foot_kmh", 0.5, 20.0, "km/h"), ("wheelchair_kmh", 0.5, 20.0, "km/h"), ("bicycle_kmh", 2.0, 60.0, "km/h"),
            ("cargo_bike_kmh", 2.0, 60.0, "km/h"), ("wheelchair_max_incline_pct", 1.0, 60.0, "%"),
        ):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                raise InvalidInput(f"{name} = {getattr(self, name)} is not between {low} and {high} {unit}", name)
        for mode, cap in self.max_kmh.items():
            if not 5.0 <= cap <= 250.0:
                raise InvalidInput(f"max_kmh[{mode.name}] = {cap} is not between 5 and 250 km/h", "max_kmh")


DEFAULT_SPEEDS = SpeedOptions()
