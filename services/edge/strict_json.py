"""Tables for `strict_json.lua`: which bodies there are and which fields their messages have."""

import re
from importlib.resources import files

from google.api import annotations_pb2  # type: ignore[import-untyped]
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorSet

from services.edge.openapi_schemas import Schemas


def build_strict_json(descriptors: bytes) -> str:
    """Lua source that refuses unknown fields in the bodies of all annotated methods.

    Parameters
    ----------
    descriptors
        Serialised FileDescriptorSet.
    """
    proto_files = list(FileDescriptorSet.FromString(descriptors).file)
    schemas = Schemas(proto_files)
    bodies: list[tuple[str, str, str]] = []
    for proto_file in proto_files:
        for service in proto_file.service:
            for method in service.method:
                rule = method.options.Extensions[annotations_pb2.http]
                if rule.body:
                    verb = str(rule.WhichOneof("pattern"))
                    message = _body_message(schemas.messages, method.input_type.lstrip("."), rule.body)
                    bodies.append((verb.upper(), _lua_pattern(getattr(rule, verb)), message))
    messages = sorted(schemas.reachable([message for _, _, message in bodies]) & schemas.messages.keys())
    lines = [f"  {{{_quote(verb)}, {_quote(pattern)}, {_quote(message)}}}," for verb, pattern, message in bodies]
    fields = [f"  [{_quote(message)}] = {{ {_fields(schemas.messages, message)} }}," for message in messages]
    tables = ["local BODIES = {", *lines, "}", "local FIELDS = {", *fields, "}", ""]
    return "\n".join(tables) + files("services.edge").joinpath("strict_json.lua").read_text()


def _body_message(messages: dict[str, DescriptorProto], request: str, body: str) -> str:
    if body == "*":
        return request
    return next(field.type_name.lstrip(".") for field in messages[request].field if field.name == body)


def _lua_pattern(path: str) -> str:
    """``/v1/feeds/{feed_id}:push`` as a Lua pattern."""
    parts = re.split(r"\{[^}]+\}", path)
    return "^" + "[^/]+".join(re.sub(r"([^\w/])", r"%\1", part) for part in parts) + "$"


def _fields(messages: dict[str, DescriptorProto], message: str) -> str:
    """Fields of a message under both of their names, each with its kind."""
    entries = []
    for field in messages[message].field:
        kind = _kind(messages, field)
        entries += [f"[{_quote(name)}] = {kind}" for name in dict.fromkeys((field.json_name, field.name))]
    return ", ".join(entries)


def _kind(messages: dict[str, DescriptorProto], field: FieldDescriptorProto) -> str:
    type_name = field.type_name.lstrip(".")
    if field.type != FieldDescriptorProto.TYPE_MESSAGE or type_name.startswith("google."):
        return "true"
    if not messages[type_name].options.map_entry:
        return _quote(type_name)
    return _quote("*" + messages[type_name].field[1].type_name.lstrip("."))


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
