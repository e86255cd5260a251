"""No method without a rule, no rule without a method."""

import importlib
from pathlib import Path

from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from services.common.rules import PUBLIC, RULES, Role, role_for

PROTO = Path(__file__).resolve().parents[3] / "proto"


def _own_methods() -> dict[str, list[str]]:
    """Methods of every service in the contract, by service, from the generated code of each ``*_service.proto``."""
    found: dict[str, list[str]] = {}
    for path in sorted((PROTO / "traboule").rglob("*_service.proto")):
        module = ".".join(path.relative_to(PROTO).with_suffix("").parts) + "_pb2"
        for service in importlib.import_module(module).DESCRIPTOR.services_by_name.values():
            found[service.full_name] = [f"/{service.full_name}/{method.name}" for method in service.methods]
    return found


def test_every_method_has_a_rule_and_every_rule_a_method() -> None:
    """Six services of our own, health and reflection; a new method without a rule fails here before it is refused."""
    own = _own_methods()
    assert len(own) >= 6
    descriptors = [
        health_pb2.DESCRIPTOR.services_by_name["Health"],
        reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
    ]
    public = {f"/{service.full_name}/{method.name}" for service in descriptors for method in service.methods}
    assert set(RULES) == public | {method for methods in own.values() for method in methods}


def test_only_health_and_reflection_are_public() -> None:
    """Every method of our own asks who calls."""
    assert {method.split(".")[0] for method, rule in RULES.items() if rule == PUBLIC} == {"/grpc"}


def test_only_traffic_control_commands_signals() -> None:
    """Logistics touches no signal; transport operators may only ask for priority."""
    signals = {method.rsplit("/", 1)[1]: rule for method, rule in RULES.items() if "SignalsService" in method}
    assert not any(Role.LOGISTICS in rule for rule in signals.values())
    assert {name for name, rule in signals.items() if Role.TRANSPORT_OPERATOR in rule} == {"RequestPriority", "CancelPriority"}
    for name in ("SetMode", "OverrideStage", "ControlIntersections", "SendDetections", "ClearOverride"):
        assert signals[name] == {Role.TRAFFIC_CONTROL}


def test_tools_find_a_role_that_may_call() -> None:
    """For every method of our own."""
    for method, rule in RULES.items():
        if rule != PUBLIC:
            assert role_for(method) in rule
