"""What PlanRoute asks of the street engine, and ways and instructions → proto. Pure."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import route_pb2

import routing.errors
from routing.street.api import Avoidance, CostWeights, StreetPath
from routing.street.costs import LEAST_CO2, QUICKEST, SHORTEST
from routing.street.instruction_texts import LANGUAGES
from routing.street.instructions import Instruction
from services.common.errors import InvalidInput

OBJECTIVES = {
    route_pb2.ROUTE_OBJECTIVE_UNSPECIFIED: QUICKEST,
    route_pb2.ROUTE_OBJECTIVE_TIME: QUICKEST,
    route_pb2.ROUTE_OBJECTIVE_DISTANCE: SHORTEST,
    route_pb2.ROUTE_OBJECTIVE_CO2: LEAST_CO2,
}
DRIVE_ON_LEFT = frozenset({"AU", "CY", "GB", "HK", "ID", "IE", "IN", "JP", "KE", "MT", "MY", "NZ", "SG", "TH", "ZA"})
"""Country codes where the kerb is on the left."""


@dataclass(frozen=True, slots=True)
class RouteWishes:
    """What is wanted of a way besides its ends.

    Attributes
    ----------
    stops : tuple of bool
        For every place in between whether one stops there.
    weights : CostWeights
    avoidance : Avoidance or None
    language : str
    kerb, kerb_departure : bool
        Whether stops and the destination are reached, and the origin is left, on their own side of the street.
    cost_field : str
        What the request calls the weights.
    """

    stops: tuple[bool, ...]
    weights: CostWeights
    avoidance: Avoidance | None
    language: str
    kerb: bool
    kerb_departure: bool
    cost_field: str

    @property
    def quickest(self) -> bool:
        """Whether plain times say which way is best."""
        return self.weights == QUICKEST and self.avoidance is None


def route_wishes(request: route_pb2.PlanRouteRequest, languages: Sequence[str]) -> RouteWishes:
    """Map the wishes of a PlanRouteRequest.

    Raises
    ------
    InvalidInput
        For kinds that do not pair up with the places in between, alternatives over places in between, or prices all zero.
    """
    kinds = list(request.via_kinds) or [route_pb2.PlanRouteRequest.VIA_KIND_STOP] * len(request.via)
    if len(kinds) != len(request.via):
        raise InvalidInput(f"{len(kinds)} via_kinds for {len(request.via)} via places: give one for each", field="via_kinds")
    if request.max_alternatives and request.via:
        raise InvalidInput(
            "alternatives are known between two places only: leave out via or max_alternatives", field="max_alternatives"
        )
    field = request.WhichOneof("cost") or "objective"
    weights = OBJECTIVES[request.objective]
    if field == "weights":
        given = request.weights
        weights = CostWeights(given.per_s, given.per_km, given.per_kg_co2, given.per_toll_km)
        if weights == CostWeights(0.0, 0.0, 0.0, 0.0):
            raise InvalidInput("weights: all prices are 0; give at least one", field="weights")
    language = request.language or next((code for code in languages if code in LANGUAGES), "en")
    stops = tuple(kind != route_pb2.PlanRouteRequest.VIA_KIND_PASS for kind in kinds)
    return RouteWishes(stops, weights, _avoidance(request), language, request.kerb_approach, request.kerb_departure, field)


def _avoidance(request: route_pb2.PlanRouteRequest) -> Avoidance | None:
    wanted = request.avoid
    avoidance = Avoidance(
        polygons=tuple(tuple((corner.lat_deg, corner.lon_deg) for corner in area.corners) for area in wanted.polygons),
        circles=tuple((circle.center.lat_deg, circle.center.lon_deg, circle.radius_m) for circle in wanted.circles),
        street_names=tuple(wanted.street_names),
        road_classes=("motorway",) if wanted.motorways else (),
        tolls=wanted.tolls,
        ferries=wanted.ferries,
        unpaved=wanted.unpaved,
    )
    return None if avoidance == Avoidance() else avoidance


@contextlib.contextmanager
def fields_of_wishes(wishes: RouteWishes) -> Iterator[None]:
    """Name what the engine refuses as the request calls it."""
    try:
        yield
    except routing.errors.InvalidInput as error:
        field = error.field or ""
        if field == "weights":
            raise InvalidInput(str(error), field=wishes.cost_field) from None
        if field.startswith(("polygons", "circles", "street_names")):
            raise InvalidInput(str(error), field=f"avoid.{field}") from None
        raise


def instruction_to_proto(instruction: Instruction, path: StreetPath) -> pb.Instruction:
    """Map one instruction of a way."""
    row = min(instruction.first_point, len(path.lat_deg) - 1)
    message = pb.Instruction(
        kind=pb.Instruction.Kind.Value(f"KIND_{instruction.manoeuvre.upper()}"),
        text=instruction.text,
        street_name=instruction.street,
        exit_number=instruction.exit_number,
        distance_m=instruction.length_m,
        distance_text=instruction.distance,
        location=geo_pb2.LatLng(lat_deg=float(path.lat_deg[row]), lon_deg=float(path.lon_deg[row])),
    )
    if instruction.climb_m is not None:
        message.ascent_m, message.descent_m = instruction.climb_m
    return message
