"""Grams of CO2 equivalent per passenger-kilometre, in use (well to wheel).

Source: ADEME Base Empreinte, passenger transport, France (2023 figures, rounded): thermal car with 1 occupant 218 g/km,
diesel van up to 3.5 t about 250 g/km, rigid truck of 12 t about 750 g/km,
urban bus 113 g/pkm, tram and metro about 4.5 g/pkm, regional train about 28 g/pkm. A city with a dirtier grid or an electric
bus fleet differs; the values are assumptions, stated as such in answers' documentation.
"""

from routing.model.modes import StreetMode

CAR_G_PER_KM = 218.0
VAN_G_PER_KM = 250.0
TRUCK_G_PER_KM = 750.0
BUS_G_PER_KM = 113.0
RAIL_G_PER_KM = 28.0
TRAM_METRO_G_PER_KM = 4.5
FERRY_G_PER_KM = 250.0

_BY_ROUTE_TYPE = {
    0: TRAM_METRO_G_PER_KM,
    1: TRAM_METRO_G_PER_KM,
    2: RAIL_G_PER_KM,
    3: BUS_G_PER_KM,
    4: FERRY_G_PER_KM,
    5: TRAM_METRO_G_PER_KM,
    6: TRAM_METRO_G_PER_KM,
    7: TRAM_METRO_G_PER_KM,
    11: 10.0,
    12: TRAM_METRO_G_PER_KM,
}


def transit_co2_g(route_type: int, distance_m: float) -> float:
    """Emissions of one passenger on a vehicle of GTFS `route_type` (basic or extended) over `distance_m`."""
    return _BY_ROUTE_TYPE.get(basic_route_type(route_type), BUS_G_PER_KM) * distance_m / 1000


def motor_co2_g(mode: StreetMode, distance_m: float) -> float:
    """Emissions of a motor vehicle on the road; 0 for walking and cycling."""
    per_km = {StreetMode.CAR: CAR_G_PER_KM, StreetMode.VAN: VAN_G_PER_KM, StreetMode.TRUCK: TRUCK_G_PER_KM}
    return per_km.get(mode, 0.0) * distance_m / 1000


def basic_route_type(route_type: int) -> int:
    """Fold extended GTFS route types (hundreds) into the basic ones."""
    if route_type < 100:
        return route_type
    families = {1: 2, 2: 3, 4: 1, 6: 1, 7: 3, 8: 11, 9: 0, 10: 4, 12: 4, 13: 6, 14: 7}
    return families.get(route_type // 100, 3)
