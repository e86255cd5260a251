"""The OpenAPI document says what the protos say: every path, every bound, no dangling reference."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from services.edge.config import SERVICES
from services.edge.envoy import descriptors_path
from services.edge.openapi import build_openapi


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as served."""
    return build_openapi(descriptors_path().read_bytes())


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from walk(item)


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Operations by identifier."""
    return {op["operationId"]: op for path in document["paths"].values() for op in path.values()}


def test_every_annotated_method_is_described(document: dict[str, Any]) -> None:
    """Only calls that stream from the client have no HTTP form, and those have siblings."""
    without = set()
    for proto_file in FileDescriptorSet.FromString(descriptors_path().read_bytes()).file:
        for service in proto_file.service:
            assert any(f"{proto_file.package}.{service.name}" in names for names in SERVICES.values())
            for method in service.method:
                if not method.options.HasExtension(annotations_pb2.http):
                    assert method.client_streaming
                    without.add(method.name)
                    continue
                assert f"{service.name}_{method.name}" in operations(document)
    assert without == {"PushFeed", "ControlIntersections"}


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    """Each `$ref` names a schema of the document, and each schema is described."""
    schemas = document["components"]["schemas"]
    for part in walk(document):
        if "$ref" in part:
            assert part["$ref"].removeprefix("#/components/schemas/") in schemas
    ours = {name: schema for name, schema in schemas.items() if name.startswith("traboule.")}
    assert len(ours) > 100
    assert all(schema["description"] for schema in ours.values())


def test_path_parameters_are_declared(document: dict[str, Any]) -> None:
    """Names in braces and parameters `in: path` are the same, and do not come again in the body."""
    for path, methods in document["paths"].items():
        for operation in methods.values():
            declared = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert declared == set(re.findall(r"\{(\w+)\}", path)), path


def test_bounds_and_comments_come_from_the_protos(document: dict[str, Any]) -> None:
    """Query parameters of nested messages have dots; limits and required fields are written."""
    parameters = {p["name"]: p for p in operations(document)["ParkingService_ListCarParks"]["parameters"]}
    assert parameters["near.latDeg"]["schema"]["minimum"] == -90
    assert parameters["pageSize"]["schema"]["maximum"] == 1000
    assert "0 = 100" in parameters["pageSize"]["description"]
    plan = document["components"]["schemas"]["traboule.journeys.v1.PlanJourneysRequest"]
    assert set(plan["required"]) == {"origin", "destination"}
    assert plan["properties"]["departAtUnixS"]["format"] == "int64"
    assert "`departAtUnixS`, `arriveByUnixS`" in plan["description"]


def test_streams_are_marked(document: dict[str, Any]) -> None:
    """Server streams answer with newline-delimited JSON."""
    assert "application/x-ndjson" in operations(document)["RoundsService_SolveRounds"]["responses"]["200"]["content"]
    assert "application/json" in operations(document)["RoundsService_GetRounds"]["responses"]["200"]["content"]


def test_bodies_leave_out_what_stands_in_the_path(document: dict[str, Any]) -> None:
    """`body: "*"` less the path; `body: "feed"` is that message."""

    def body(name: str) -> dict[str, Any]:
        schema: dict[str, Any] = operations(document)[name]["requestBody"]["content"]["application/json"]["schema"]
        return schema

    assert "feedId" not in body("FeedsService_PushFeedFile")["properties"]
    assert body("FeedsService_RegisterFeed") == {"$ref": "#/components/schemas/traboule.feeds.v1.Feed"}
