"""Moments in requests are bounded: an absurd one is the caller's mistake, told with its field, never an internal error."""

import importlib

import pytest
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

SERVICES = ("feeds", "journeys", "parking", "rounds", "traffic")
YEAR_2100 = 4_102_444_800


def _moments(message: Descriptor, path: str, seen: frozenset[str]) -> list[tuple[str, FieldDescriptor]]:
    """Every field of a request, at any depth, that holds a moment."""
    if message.full_name in seen:
        return []
    found = []
    for field in message.fields:
        here = f"{path}.{field.name}"
        if field.message_type is not None:
            found += _moments(field.message_type, here, seen | {message.full_name})
        elif field.name.endswith("_unix_s"):
            found.append((here, field))
    return found


MOMENTS = [
    (path, field)
    for name in SERVICES
    for service in importlib.import_module(f"traboule.{name}.v1.{name}_service_pb2").DESCRIPTOR.services_by_name.values()
    for method in service.methods
    for path, field in _moments(method.input_type, method.input_type.name, frozenset())
]


def test_there_are_moments_to_check() -> None:
    """The list is not empty by accident."""
    assert len(MOMENTS) > 20


@pytest.mark.parametrize(("path", "field"), MOMENTS, ids=[path for path, _ in MOMENTS])
def test_a_moment_ends_with_the_century(path: str, field: FieldDescriptor) -> None:
    """No later than the year 2100."""
    rules = field.GetOptions().Extensions[validate_pb2.field]
    rules = rules.repeated.items if rules.HasField("repeated") else rules
    assert rules.int64.lte == YEAR_2100, path
