"""Generates the Python code of `proto/traboule` into `proto/gen`, at build time and by ``make proto``.

What comes out: messages and services (``*_pb2.py``, ``*_pb2_grpc.py``) with type stubs, and
``traboule/descriptors.binpb``: every file with its comments, for Envoy, the OpenAPI document and buf.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TOOLS = ("grpcio-tools", "mypy-protobuf", "protobuf", "googleapis-common-protos")
ERROR_DETAILS = ("google/rpc/status.proto", "google/rpc/error_details.proto")
"""Envoy turns the details of errors into JSON only if these are among the descriptors."""


class ProtoBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the generated packages `traboule` and `buf` into every wheel and sdist."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, dict[str, str]]) -> None:
        """Generate, then add what was generated; an editable install finds it by its path."""
        root = Path(self.root)
        generate(root)
        if version == "editable":
            return
        target = "proto/gen/" if self.target_name == "sdist" else ""
        for package in ("traboule", "buf"):
            build_data["force_include"][str(root / "proto/gen" / package)] = f"{target}{package}"


def generate(root: Path, *, force: bool = False) -> bool:
    """Generate `proto/gen`; return False where it was up to date.

    The new folder replaces the old one in one step, so that a generation cut short leaves nothing half done.
    """
    proto, gen = root / "proto", root / "proto" / "gen"
    sources = sorted(str(path.relative_to(proto)) for path in (proto / "traboule").rglob("*.proto"))
    digest = fingerprint(root, sources)
    stamp = gen / "STAMP"
    if not force and stamp.is_file() and stamp.read_text() == digest:
        return False
    with tempfile.TemporaryDirectory(prefix=".gen-", dir=proto) as folder:
        fresh = Path(folder) / "gen"
        (fresh / "traboule").mkdir(parents=True)
        run_protoc(proto, fresh, sources)
        (fresh / "STAMP").write_text(digest)
        if gen.exists():
            gen.rename(Path(folder) / "old")
        fresh.rename(gen)
    return True


def fingerprint(root: Path, sources: list[str]) -> str:
    """Hash of everything the generated code depends on."""
    digest = hashlib.sha256()
    for tool in TOOLS:
        digest.update(f"{tool}=={version(tool)}\n".encode())
    paths = [root / "hatch_build.py", *(root / "proto" / source for source in sources)]
    for path in [*paths, *sorted((root / "proto" / "third_party").rglob("*.proto"))]:
        digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def run_protoc(proto: Path, out: Path, sources: list[str]) -> None:
    """Run the protoc of grpcio-tools twice: code for our files, descriptors for all."""
    includes = [f"-I{folder}" for folder in (proto, proto / "third_party", *wheel_includes())]
    code = [f"--plugin=protoc-gen-{name}={find_plugin(f'protoc-gen-{name}')}" for name in ("mypy", "mypy_grpc")] + [
        f"--python_out={out}",
        f"--mypy_out=quiet:{out}",
    ]
    services = [source for source in sources if source.endswith("_service.proto")]
    grpc = [f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}"]
    protoc([*includes, *code, *sources, "buf/validate/validate.proto"])
    protoc([*includes, *code[:2], *grpc, *services])
    descriptors = ["--include_imports", "--include_source_info", f"--descriptor_set_out={out}/traboule/descriptors.binpb"]
    protoc([*includes, *descriptors, *sources, *ERROR_DETAILS])


def wheel_includes() -> Iterator[Path]:
    """Folders of installed packages that ship google/api, google/rpc and google/protobuf."""
    for module, depth in (("google.rpc.status_pb2", 2), ("grpc_tools", 0)):
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{module} is not installed: install the build requirements of pyproject.toml")
        folder = Path(spec.origin).parents[depth]
        yield folder / "_proto" if module == "grpc_tools" else folder


def find_plugin(name: str) -> str:
    """Path of a protoc plugin: beside this Python, else on PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not installed: install the build requirements of pyproject.toml")
    return found


def protoc(arguments: list[str]) -> None:
    """Run protoc; its messages go to stderr."""
    done = subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments], check=False)
    if done.returncode != 0:
        raise SystemExit(f"protoc failed with status {done.returncode}: see its messages above")


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    print("proto/gen is written" if generate(here, force="--force" in sys.argv) else "proto/gen is up to date")
