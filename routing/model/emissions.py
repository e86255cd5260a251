"""CO2 of motor vehicles on the road by kind and speed: the one table all of the project uses.

Fuel burnt in litres per kilometre at a mean speed v (km/h, with the stops of ordinary traffic in it) is
``a / v + b + c · v + d · v²``, with the parameters of the United Kingdom's Department for Transport (Transport Analysis
Guidance, unit 3.5.6, table 10: petrol car, diesel car, diesel light goods vehicle, rigid goods vehicle). Grams of CO2
equivalent per litre, from the well to the wheel: ADEME Base Empreinte, France (petrol E10 2 700 g, diesel B7 3 100 g, rounded).
A car is taken as half petrol, half diesel. The curves are for the fleet of about 2010; newer vehicles use less. They have their
least at 45–75 km/h.
"""

import numpy as np
import numpy.typing as npt

from routing.model.modes import StreetMode

PETROL_G_PER_L = 2_700.0
DIESEL_G_PER_L = 3_100.0

Parameters = tuple[float, float, float, float]

PETROL_CAR: Parameters = (0.964022581, 0.041448033, -4.54163e-5, 2.01346e-6)
DIESEL_CAR: Parameters = (0.437094041, 0.058616489, -5.2488e-4, 4.12709e-6)
DIESEL_VAN: Parameters = (1.045268333, 0.057901415, -4.32895e-4, 8.0252e-6)
RIGID_TRUCK: Parameters = (1.477368474, 0.245615208, -3.572413e-3, 3.0638e-5)

FLEET: dict[StreetMode, tuple[tuple[float, float, Parameters], ...]] = {
    StreetMode.CAR: ((0.5, PETROL_G_PER_L, PETROL_CAR), (0.5, DIESEL_G_PER_L, DIESEL_CAR)),
    StreetMode.VAN: ((1.0, DIESEL_G_PER_L, DIESEL_VAN),),
    StreetMode.TRUCK: ((1.0, DIESEL_G_PER_L, RIGID_TRUCK),),
}
"""Kinds of vehicles by mode: share, grams per litre, parameters. Modes left out burn nothing."""

SLOWEST_KMH, FASTEST_KMH = 5.0, 140.0
"""Range of the curves; slower and faster is taken as the end of it."""

URBAN_KMH = 25.0
"""Mean speed where only a distance is known."""


def co2_g_per_km(mode: StreetMode, speed_kmh: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Grams of CO2 equivalent per kilometre at mean speeds (any shape); 0 for who walks or cycles."""
    speed = np.clip(np.asarray(speed_kmh, np.float64), SLOWEST_KMH, FASTEST_KMH)
    grams = np.zeros_like(speed)
    for share, per_litre, (a, b, c, d) in FLEET.get(mode, ()):
        grams += share * per_litre * (a / speed + b + c * speed + d * speed**2)
    return grams


def idle_co2_g_per_s(mode: StreetMode) -> float:
    """Grams per second of standing with the engine running: what the curves tend to at walking pace, litres per hour ``a``."""
    return sum(share * per_litre * parameters[0] for share, per_litre, parameters in FLEET.get(mode, ())) / 3600.0


def driving_co2_g(
    mode: StreetMode, arc_length_m: npt.NDArray[np.float64], arc_time_ms: npt.NDArray[np.float64], time_ms: float
) -> float:
    """Grams on a way: by the speed along its arcs (both float64[a]), and idling for the rest of its time."""
    speed_kmh = arc_length_m / np.maximum(arc_time_ms, 1e-3) * 3600.0
    driving = float((co2_g_per_km(mode, speed_kmh) * arc_length_m).sum()) / 1000.0
    return driving + max(time_ms - float(arc_time_ms.sum()), 0.0) / 1000.0 * idle_co2_g_per_s(mode)


def mean_co2_g_per_m(mode: StreetMode) -> float:
    """Grams per metre where no speed is known: those at `URBAN_KMH`."""
    return float(co2_g_per_km(mode, URBAN_KMH)) / 1000.0
