"""Grams of CO2 equivalent per passenger-kilometre in public transport, in use (well to wheel).

Motor vehicles on the road are in `routing.model.emissions`. Source: ADEME Base Empreinte, passenger transport, France (2023
figures, rounded): urban bus 113 g/pkm, tram and metro about 4.5 g/pkm, regional train about 28 g/pkm. A city with a dirtier
grid or an electric bus fleet differs; the values are assumptions, stated as such in answers' documentation.
"""

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


def basic_route_type(route_type: int) -> int:
    """Fold extended GTFS route types (hundreds) into the basic ones."""
    if route_type < 100:
        return route_type
    families = {1: 2, 2: 3, 4: 1, 6: 1, 7: 3, 8: 11, 9: 0, 10: 4, 12: 4, 13: 6, 14: 7}
    return families.get(route_type // 100, 3)
