"""JSON schemas of protobuf messages, as protobuf's JSON mapping writes them; comments become descriptions."""

from collections.abc import Iterator
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto

Json = dict[str, Any]

_SCALARS: dict[int, Json] = {
    FieldDescriptorProto.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptorProto.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptorProto.TYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptorProto.TYPE_UINT64: {"type": "string", "format": "uint64"},
    FieldDescriptorProto.TYPE_SINT64: {"type": "string", "format": "int64"},
    FieldDescriptorProto.TYPE_FIXED64: {"type": "string", "format": "uint64"},
    FieldDescriptorProto.TYPE_SFIXED64: {"type": "string", "format": "int64"},
    FieldDescriptorProto.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptorProto.TYPE_UINT32: {"type": "integer", "minimum": 0},
    FieldDescriptorProto.TYPE_SINT32: {"type": "integer", "format": "int32"},
    FieldDescriptorProto.TYPE_FIXED32: {"type": "integer", "minimum": 0},
    FieldDescriptorProto.TYPE_SFIXED32: {"type": "integer", "format": "int32"},
    FieldDescriptorProto.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptorProto.TYPE_STRING: {"type": "string"},
    FieldDescriptorProto.TYPE_BYTES: {"type": "string", "format": "byte"},
}
_WELL_KNOWN: dict[str, Json] = {
    "google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string", "description": "Which message this is."}},
        "additionalProperties": True,
    },
    "google.protobuf.Duration": {"type": "string", "description": 'Seconds with an "s", for example "1.5s".'},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
}
_KEYWORDS: dict[str, tuple[tuple[str, str, int], ...]] = {
    "string": (("min_len", "minLength", 0), ("max_len", "maxLength", 0), ("pattern", "pattern", 0)),
    "int32": (("gte", "minimum", 0), ("lte", "maximum", 0), ("gt", "minimum", 1), ("lt", "maximum", -1)),
    "double": (("gte", "minimum", 0), ("lte", "maximum", 0), ("gt", "exclusiveMinimum", 0), ("lt", "exclusiveMaximum", 0)),
}
"""Rule, JSON schema keyword, and what to add to make an exclusive integer bound inclusive."""


class Schemas:
    """Schemas of all messages and enums of a set of files, by full name."""

    def __init__(self, proto_files: list[FileDescriptorProto]) -> None:
        self.messages: dict[str, DescriptorProto] = {}
        self.enums: dict[str, EnumDescriptorProto] = {}
        self.comments: dict[str, str] = {}
        for proto_file in proto_files:
            self._read(proto_file)

    def _read(self, proto_file: FileDescriptorProto) -> None:
        comments = {tuple(place.path): place.leading_comments.strip() for place in proto_file.source_code_info.location}
        package = proto_file.package
        for index, service in enumerate(proto_file.service):
            self.comments[f"{package}.{service.name}"] = comments.get((6, index), "")
            for at, method in enumerate(service.method):
                self.comments[f"{package}.{service.name}.{method.name}"] = comments.get((6, index, 2, at), "")
        for index, enum in enumerate(proto_file.enum_type):
            self._read_enum(enum, f"{package}.{enum.name}", (5, index), comments)
        for index, message in enumerate(proto_file.message_type):
            self._read_message(message, f"{package}.{message.name}", (4, index), comments)

    def _read_message(
        self, message: DescriptorProto, name: str, path: tuple[int, ...], comments: dict[tuple[int, ...], str]
    ) -> None:
        self.messages[name] = message
        self.comments[name] = comments.get(path, "")
        for index, field in enumerate(message.field):
            self.comments[f"{name}.{field.name}"] = comments.get((*path, 2, index), "")
        for index, nested in enumerate(message.nested_type):
            self._read_message(nested, f"{name}.{nested.name}", (*path, 3, index), comments)
        for index, enum in enumerate(message.enum_type):
            self._read_enum(enum, f"{name}.{enum.name}", (*path, 4, index), comments)

    def _read_enum(
        self, enum: EnumDescriptorProto, name: str, path: tuple[int, ...], comments: dict[tuple[int, ...], str]
    ) -> None:
        self.enums[name] = enum
        self.comments[name] = comments.get(path, "")
        for index, value in enumerate(enum.value):
            self.comments[f"{name}.{value.name}"] = comments.get((*path, 2, index), "")

    def reachable(self, roots: list[str]) -> set[str]:
        """Full names of the messages and enums that `roots` lead to, themselves included."""
        found: set[str] = set()
        todo = list(roots)
        while todo:
            name = todo.pop()
            if name in found or name in _WELL_KNOWN:
                continue
            found.add(name)
            if name in self.messages:
                todo.extend(field.type_name.lstrip(".") for field in self.messages[name].field if field.type_name)
        return {name for name in found if not self._is_map_entry(name)}

    def _is_map_entry(self, name: str) -> bool:
        return name in self.messages and self.messages[name].options.map_entry

    def schema(self, name: str) -> Json:
        """Schema of one message or enum."""
        if name in self.enums:
            return self._enum_schema(name)
        message = self.messages[name]
        result: Json = {
            "type": "object",
            "properties": {field.json_name: self.field_schema(name, field) for field in message.field},
            "additionalProperties": False,
        }
        required = [field.json_name for field in message.field if _rules(field).required]
        if required:
            result["required"] = required
        notes = [self.comments[name], *self._oneof_notes(message)]
        result["description"] = "\n\n".join(note for note in notes if note)
        return result

    def _enum_schema(self, name: str) -> Json:
        values = self.enums[name].value
        lines = [f"- `{value.name}`: {self.comments[f'{name}.{value.name}']}" for value in values]
        return {
            "type": "string",
            "enum": [value.name for value in values],
            "description": "\n".join([self.comments[name], "", *lines]),
        }

    def _oneof_notes(self, message: DescriptorProto) -> Iterator[str]:
        for index in range(len(message.oneof_decl)):
            names = [
                field.json_name
                for field in message.field
                if field.HasField("oneof_index") and field.oneof_index == index and not field.proto3_optional
            ]
            if names:
                yield "At most one of: " + ", ".join(f"`{name}`" for name in names) + "."

    def field_schema(self, message: str, field: FieldDescriptorProto) -> Json:
        """Schema of one field with its bounds and its comment."""
        rules = _rules(field)
        type_name = field.type_name.lstrip(".")
        if self._is_map_entry(type_name):
            value = self.messages[type_name].field[1]
            result: Json = {"type": "object", "additionalProperties": self._single(value, _rules(value))}
        elif field.label == FieldDescriptorProto.LABEL_REPEATED:
            result = {"type": "array", "items": self._single(field, rules.repeated.items)}
            if rules.repeated.HasField("min_items"):
                result["minItems"] = rules.repeated.min_items
            if rules.repeated.HasField("max_items"):
                result["maxItems"] = rules.repeated.max_items
        else:
            result = self._single(field, rules)
        comment = self.comments.get(f"{message}.{field.name}", "")
        if comment:
            result = {"allOf": [result]} if "$ref" in result else result
            result["description"] = comment
        return result

    def _single(self, field: FieldDescriptorProto, rules: validate_pb2.FieldRules) -> Json:
        type_name = field.type_name.lstrip(".")
        if type_name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[type_name])
        if type_name:
            return {"$ref": f"#/components/schemas/{type_name}"}
        return dict(_SCALARS[field.type]) | _bounds(rules)


def _rules(field: FieldDescriptorProto) -> validate_pb2.FieldRules:
    return field.options.Extensions[validate_pb2.field]


def _bounds(rules: validate_pb2.FieldRules) -> Json:
    """JSON schema keywords for the rules of a scalar field."""
    kind = rules.WhichOneof("type")
    if kind not in _KEYWORDS:
        return {}
    given = {descriptor.name: value for descriptor, value in getattr(rules, kind).ListFields()}
    return {keyword: given[rule] + shift if shift else given[rule] for rule, keyword, shift in _KEYWORDS[kind] if rule in given}
