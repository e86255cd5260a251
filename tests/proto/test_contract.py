"""The contract: buf's rules, units in names, HTTP paths, and that breaking it would be noticed."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

PROTO = Path(__file__).parents[2] / "proto"
DESCRIPTORS = PROTO / "gen" / "traboule" / "descriptors.binpb"
NUMBERS = {
    FieldDescriptorProto.TYPE_INT32,
    FieldDescriptorProto.TYPE_INT64,
    FieldDescriptorProto.TYPE_DOUBLE,
    FieldDescriptorProto.TYPE_FLOAT,
}
UNITS = re.compile(
    r"_(s|ms|m|m2|km|mps|kmh|deg|g|kg|vph|hour|count|spaces|vehicles|probability|share|ratio|minor|epoch|bytes|size|sequence|index)$"
)
NO_UNIT = {
    "count", "sequence", "version", "plan_version", "position", "seed", "iterations", "max_iterations", "threads", "priority",
    "quality", "occupancy", "saturation", "score", "speed_factor", "lanes", "weekdays", "mean_stops", "max_stops",
    "max_transfers", "max_departures", "max_places", "max_itineraries", "max_alternatives", "max_remedies",
    "max_reloads", "route_type", "route_types",
    "loads", "capacities", "shortfall", "amount", "cost", "cost_delta", "move_cost", "fixed", "prize",
    "exit_number", "shared", "per_kg_co2", "late_cost", "other_vehicle_cost", "weight_per_vehicle", "service_factor",
}  # fmt: skip
"""Numbers that are counts, ranks, shares of one, codes, or in units the caller defines (loads, costs)."""


def buf(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run buf."""
    program = Path(sys.executable).with_name("buf")
    return subprocess.run([program, *arguments], cwd=PROTO, capture_output=True, text=True, check=False, timeout=300)


def our_files() -> list[FileDescriptorProto]:
    """Descriptors of our own files."""
    files = FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file
    return [proto_file for proto_file in files if proto_file.package.startswith("traboule.")]


def messages(proto_file: FileDescriptorProto) -> Iterator[DescriptorProto]:
    """All messages of a file, nested ones too, without the entries of maps."""
    todo = list(proto_file.message_type)
    while todo:
        message = todo.pop()
        if not message.options.map_entry:
            yield message
            todo.extend(message.nested_type)


def test_buf_finds_nothing() -> None:
    """STANDARD and COMMENTS rules hold, and files are formatted."""
    lint = buf("lint", DESCRIPTORS, "--config", "buf.yaml")
    assert lint.returncode == 0, lint.stdout + lint.stderr
    formatted = buf("format", ".", "--diff", "--exit-code", "--config", "buf.yaml")
    assert formatted.returncode == 0, formatted.stdout


def test_a_breaking_change_is_noticed(tmp_path: Path) -> None:
    """Taking a field away or renaming one in JSON is refused; the unchanged contract passes."""
    assert buf("breaking", DESCRIPTORS, "--against", DESCRIPTORS, "--config", "buf.yaml").returncode == 0
    everything = FileDescriptorSet.FromString(DESCRIPTORS.read_bytes())
    geo = next(proto_file for proto_file in everything.file if proto_file.name == "traboule/common/v1/geo.proto")
    point = next(message for message in geo.message_type if message.name == "LatLng")
    point.field[0].name, point.field[0].json_name = "latitude_deg", "latitudeDeg"
    changed = tmp_path / "changed.binpb"
    changed.write_bytes(everything.SerializeToString())
    refused = buf("breaking", changed, "--against", DESCRIPTORS, "--config", "buf.yaml")
    assert refused.returncode != 0
    assert "lat_deg" in refused.stdout


def test_numbers_carry_their_unit() -> None:
    """Every number's name ends in its unit, unless it has none."""
    unnamed = {
        f"{proto_file.package}.{message.name}.{field.name}"
        for proto_file in our_files()
        for message in messages(proto_file)
        for field in message.field
        if field.type in NUMBERS and not UNITS.search(field.name) and field.name not in NO_UNIT
    }
    assert not unnamed


def test_answers_say_what_they_were_computed_from() -> None:
    """Every answer about journeys, traffic and parking carries the stamp with epochs and feed ages."""
    without = {"ResolveIncidentResponse"}
    for proto_file in our_files():
        if proto_file.package in ("traboule.journeys.v1", "traboule.traffic.v1", "traboule.parking.v1"):
            for message in messages(proto_file):
                if message.name.endswith("Response") and message.name not in without:
                    assert ".traboule.common.v1.AnswerStamp" in {field.type_name for field in message.field}, message.name


def test_http_paths_are_versioned_and_distinct() -> None:
    """No two methods share verb and path; bodies are declared for POST and PUT only."""
    seen: dict[tuple[str, str], str] = {}
    for proto_file in our_files():
        for service in proto_file.service:
            for method in service.method:
                if not method.options.HasExtension(annotations_pb2.http):
                    continue
                rule = method.options.Extensions[annotations_pb2.http]
                verb = rule.WhichOneof("pattern")
                path = re.sub(r"\{[^}]+\}", "{}", getattr(rule, verb))
                assert path.startswith("/v1/")
                assert bool(rule.body) == (verb in ("post", "put")), method.name
                assert (verb, path) not in seen, (method.name, seen)
                seen[verb, path] = method.name
    assert len(seen) > 40
