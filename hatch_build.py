"""Generate the Python modules of every .proto file, for a build and for `bin/proto`.

The modules land beside the hand-written code of `api/` (through its link in `holdfast/`) and
are ignored by git. The build adds them to the wheel by hand, because hatchling leaves out what
git ignores.
"""

from __future__ import annotations

import os
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent


def generate(root: Path = ROOT) -> int:
    """Run protoc over `proto/` and write modules and type stubs below `holdfast/api`.

    Returns the number of .proto files. Raises RuntimeError when protoc refuses one.
    """
    from grpc_tools import protoc

    # protoc finds its mypy plugins on PATH: they stand beside this Python.
    scripts = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    files = sorted(str(path.relative_to(root / "proto")) for path in root.glob("proto/**/*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    outputs = [f"--{kind}_out={root}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    include = [f"-I{root / 'proto'}", f"-I{well_known}"]
    if protoc.main(["protoc", *include, *outputs, *files]) != 0:
        raise RuntimeError("protoc refused a file in proto/: its message stands above")
    _drop_empty_services(root)
    return len(files)


def _drop_empty_services(root: Path) -> None:
    """Delete the gRPC modules of files that define no service: they hold nothing."""
    for path in root.glob("holdfast/api/**/*_pb2_grpc.py"):
        if "class " not in path.read_text():
            path.unlink()
            path.with_suffix(".pyi").unlink(missing_ok=True)


class ProtoHook(BuildHookInterface[Any]):
    """Hatchling's hook: generates, then lists the generated files as part of the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        generate(Path(self.root))
        build_data["artifacts"].append("/holdfast/api/**/*_pb2*.py*")
