"""Who may call what: the one table of authorisation rules. A method without a rule is refused."""

from enum import StrEnum


class Role(StrEnum):
    """What a caller is to the metropolis."""

    TRANSPORT_OPERATOR = "TRANSPORT_OPERATOR"
    LOGISTICS = "LOGISTICS"
    TRAFFIC_CONTROL = "TRAFFIC_CONTROL"
    ADMINISTRATOR = "ADMINISTRATOR"


Rule = frozenset[Role]
PUBLIC: Rule = frozenset()
"""The empty rule: callers need not say who they are."""

_EVERYBODY: Rule = frozenset(Role)
_ADMINISTRATOR: Rule = frozenset({Role.ADMINISTRATOR})
_CONTROL: Rule = frozenset({Role.TRAFFIC_CONTROL})
_CONTROL_OR_ADMINISTRATOR = _CONTROL | _ADMINISTRATOR
_LOGISTICS_OR_ADMINISTRATOR: Rule = frozenset({Role.LOGISTICS}) | _ADMINISTRATOR
_OPERATOR_OR_CONTROL: Rule = frozenset({Role.TRANSPORT_OPERATOR}) | _CONTROL
_FEED_OWNERS = _OPERATOR_OR_CONTROL | _ADMINISTRATOR

_BY_SERVICE: dict[str, dict[str, Rule]] = {
    "grpc.health.v1.Health": {"Check": PUBLIC, "Watch": PUBLIC},
    "grpc.reflection.v1alpha.ServerReflection": {"ServerReflectionInfo": PUBLIC},
    "traboule.feeds.v1.FeedsService": {
        "RegisterFeed": _ADMINISTRATOR,
        "ListFeeds": _EVERYBODY,
        "GetFeed": _EVERYBODY,
        "PushFeed": _FEED_OWNERS,
        "PushFeedFile": _FEED_OWNERS,
        "GetFeedHealth": _EVERYBODY,
        "WatchFeeds": _EVERYBODY,
    },
    "traboule.traffic.v1.TrafficService": {
        "GetLinkStates": _EVERYBODY,
        "WatchLinkStates": _EVERYBODY,
        "PredictLinkSpeeds": _EVERYBODY,
        "ReportIncident": _CONTROL_OR_ADMINISTRATOR,
        "ResolveIncident": _CONTROL_OR_ADMINISTRATOR,
        "ListIncidents": _EVERYBODY,
    },
    "traboule.parking.v1.ParkingService": {
        "ListCarParks": _EVERYBODY,
        "PredictAvailability": _EVERYBODY,
        "WatchCarParks": _EVERYBODY,
    },
    "traboule.journeys.v1.JourneysService": {
        "PlanJourneys": _EVERYBODY,
        "WatchJourney": _EVERYBODY,
        "PlanTour": _EVERYBODY,
        "PlanRoute": _EVERYBODY,
        "GetMatrix": _EVERYBODY,
        "StreamMatrix": _EVERYBODY,
        "GetIsochrone": _EVERYBODY,
        "ListDepartures": _EVERYBODY,
        "SearchPlaces": _EVERYBODY,
    },
    "traboule.rounds.v1.RoundsService": {
        "SolveRounds": _LOGISTICS_OR_ADMINISTRATOR,
        "SubmitRounds": _LOGISTICS_OR_ADMINISTRATOR,
        "GetRounds": _LOGISTICS_OR_ADMINISTRATOR,
        "WatchRounds": _LOGISTICS_OR_ADMINISTRATOR,
        "CancelRounds": _LOGISTICS_OR_ADMINISTRATOR,
        "ListRounds": _LOGISTICS_OR_ADMINISTRATOR,
        "InsertOrder": _LOGISTICS_OR_ADMINISTRATOR,
        "ReportEvent": _LOGISTICS_OR_ADMINISTRATOR,
        "ExplainUnserved": _LOGISTICS_OR_ADMINISTRATOR,
        "PriceConstraints": _LOGISTICS_OR_ADMINISTRATOR,
        "ComparePlans": _LOGISTICS_OR_ADMINISTRATOR,
    },
    "traboule.signals.v1.SignalsService": {
        "ImportIntersections": _CONTROL_OR_ADMINISTRATOR,
        "ListIntersections": _CONTROL_OR_ADMINISTRATOR,
        "GetIntersection": _CONTROL_OR_ADMINISTRATOR,
        "ValidatePlan": _CONTROL_OR_ADMINISTRATOR,
        "OptimisePlans": _CONTROL_OR_ADMINISTRATOR,
        "ControlIntersections": _CONTROL,
        "SendDetections": _CONTROL,
        "WatchCommands": _CONTROL_OR_ADMINISTRATOR,
        "SetMode": _CONTROL,
        "OverrideStage": _CONTROL,
        "ClearOverride": _CONTROL,
        "RequestPriority": _OPERATOR_OR_CONTROL,
        "CancelPriority": _OPERATOR_OR_CONTROL,
        "GetPerformance": _CONTROL_OR_ADMINISTRATOR,
        "GetAudit": _CONTROL_OR_ADMINISTRATOR,
    },
}

RULES: dict[str, Rule] = {
    f"/{service}/{method}": rule for service, methods in _BY_SERVICE.items() for method, rule in methods.items()
}
"""Full method name → roles that may call it."""


def find_rule(method: str) -> Rule | None:
    """Rule of a full method name (``/package.Service/Method``), None when it has none and must be refused."""
    return RULES.get(method)


def role_for(method: str) -> Role:
    """A role that may call the method: for tools that act for a developer, such as the command line."""
    allowed = RULES.get(method) or _EVERYBODY
    order = (Role.TRANSPORT_OPERATOR, Role.LOGISTICS, Role.TRAFFIC_CONTROL, Role.ADMINISTRATOR)
    return next(role for role in order if role in allowed)
