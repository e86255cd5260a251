"""OpenAPI 3.1 document of the HTTP interface, made from the protos' own annotations and comments.

References: google/api/http.proto; https://spec.openapis.org/oas/v3.1.0
"""

import re
from collections.abc import Iterator
from typing import Any

from google.api import annotations_pb2  # type: ignore[import-untyped]
from google.api.http_pb2 import HttpRule  # type: ignore[import-untyped]
from google.protobuf.descriptor_pb2 import (
    FieldDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from services.edge.openapi_schemas import Schemas

Json = dict[str, Any]

ERROR = "google.rpc.Status"
ERROR_DETAILS = ("google.rpc.BadRequest", "google.rpc.ResourceInfo", "google.rpc.RetryInfo", "google.rpc.ErrorInfo")
INTRODUCTION = """\
Multimodal mobility for a whole metropolis. The same services speak gRPC and gRPC-Web at this address.

- Every call carries `Authorization: Bearer <token>`. The header `traboule-city` chooses the city.
- 64-bit integers are JSON strings, as protobuf's JSON mapping wants; in requests plain numbers are taken too.
- Fields that are not set are written with their default, optional ones and messages are left out.
- Streams are answered with one JSON object a line (`application/x-ndjson`).
- Errors are `google.rpc.Status`; `details` name the field that was wrong.
"""


def build_openapi(descriptors: bytes) -> Json:
    """Document of every annotated method.

    Parameters
    ----------
    descriptors
        Serialised FileDescriptorSet with source information.
    """
    proto_files = list(FileDescriptorSet.FromString(descriptors).file)
    schemas = Schemas(proto_files)
    paths: dict[str, Json] = {}
    tags: list[Json] = []
    roots = [ERROR, *ERROR_DETAILS]
    for proto_file in proto_files:
        for service in proto_file.service:
            methods = list(_annotated(service))
            if not methods:
                continue
            tags.append({"name": service.name, "description": schemas.comments[f"{proto_file.package}.{service.name}"]})
            for method, rule in methods:
                verb, path = _verb_and_path(rule)
                name = f"{proto_file.package}.{service.name}.{method.name}"
                operation = _operation(method, rule, schemas, service.name, schemas.comments[name])
                paths.setdefault(_openapi_path(path), {})[verb] = operation
                roots += [method.input_type.lstrip("."), method.output_type.lstrip(".")]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Traboule", "version": "v1", "description": INTRODUCTION},
        "security": [{"token": []}],
        "tags": sorted(tags, key=lambda tag: str(tag["name"])),
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": {name: schemas.schema(name) for name in sorted(schemas.reachable(roots))},
        },
    }


def _annotated(service: ServiceDescriptorProto) -> Iterator[tuple[MethodDescriptorProto, HttpRule]]:
    for method in service.method:
        if method.options.HasExtension(annotations_pb2.http):
            yield method, method.options.Extensions[annotations_pb2.http]


def _verb_and_path(rule: HttpRule) -> tuple[str, str]:
    verb = rule.WhichOneof("pattern") or ""
    return verb, str(getattr(rule, verb))


def _openapi_path(path: str) -> str:
    """Path with plain parameter names: ``{feed.feed_id}`` → ``{feedId}``."""
    return re.sub(r"\{([^}=]+)[^}]*\}", lambda match: "{" + _camel(match[1].rsplit(".", 1)[-1]) + "}", path)


def _camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def _operation(method: MethodDescriptorProto, rule: HttpRule, schemas: Schemas, service: str, comment: str) -> Json:
    request = method.input_type.lstrip(".")
    in_path = re.findall(r"\{([^}=]+)", _verb_and_path(rule)[1])
    media = "application/x-ndjson" if method.server_streaming else "application/json"
    answer = {"schema": {"$ref": f"#/components/schemas/{method.output_type.lstrip('.')}"}}
    parameters = [
        {"name": _camel(name.rsplit(".", 1)[-1]), "in": "path", "required": True, "schema": _field_at(schemas, request, name)}
        for name in in_path
    ]
    result: Json = {
        "operationId": f"{service}_{method.name}",
        "tags": [service],
        "summary": _first_sentence(comment),
        "description": comment,
        "responses": {
            "200": {
                "description": "A stream, one object a line." if method.server_streaming else "OK.",
                "content": {media: answer},
            },
            "default": {
                "description": "Error.",
                "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{ERROR}"}}},
            },
        },
    }
    if rule.body:
        result["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _body(schemas, request, rule, in_path)}},
        }
    else:
        parameters += list(_query_parameters(schemas, request, set(in_path)))
    if parameters:
        result["parameters"] = parameters
    return result


def _first_sentence(comment: str) -> str:
    return re.split(r"\. |\n", comment, maxsplit=1)[0].rstrip(".")


def _body(schemas: Schemas, request: str, rule: HttpRule, in_path: list[str]) -> Json:
    """Schema of the body: the whole message less what stands in the path, or one field of it."""
    if rule.body != "*":
        field = next(field for field in schemas.messages[request].field if field.name == rule.body)
        return {"$ref": f"#/components/schemas/{field.type_name.lstrip('.')}"}
    if not in_path:
        return {"$ref": f"#/components/schemas/{request}"}
    schema = schemas.schema(request)
    left_out = {_camel(name) for name in in_path}
    schema["properties"] = {name: value for name, value in schema["properties"].items() if name not in left_out}
    return schema


def _field_at(schemas: Schemas, message: str, path: str) -> Json:
    """Schema of the field that a dotted path leads to."""
    *parents, last = path.split(".")
    for parent in parents:
        message = next(f.type_name.lstrip(".") for f in schemas.messages[message].field if f.name == parent)
    return schemas.field_schema(message, next(f for f in schemas.messages[message].field if f.name == last))


def _query_parameters(schemas: Schemas, message: str, in_path: set[str], prefix: str = "") -> Iterator[Json]:
    """Fields of a request without body; those of nested messages are written with dots (``near.latDeg``)."""
    for field in schemas.messages[message].field:
        if prefix + field.name in in_path:
            continue
        if field.type == FieldDescriptorProto.TYPE_MESSAGE:
            yield from _query_parameters(schemas, field.type_name.lstrip("."), in_path, f"{prefix}{field.json_name}.")
            continue
        schema = schemas.field_schema(message, field)
        yield {"name": prefix + field.json_name, "in": "query", "schema": schema, "description": schema.get("description", "")}
