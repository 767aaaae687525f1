"""The tree as the tidy tests see it: every hand-written Python file, parsed once."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("api", "cli", "control", "netproxy", "node", "runtime")


@dataclass(frozen=True)
class Source:
    """One file. path: relative to the root; module: its dotted name under holdfast."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        parts = self.path.with_suffix("").parts
        return ".".join(("holdfast", *(parts[:-1] if parts[-1] == "__init__" else parts)))

    @property
    def docstring(self) -> str:
        return ast.get_docstring(self.tree) or ""

    @property
    def pure(self) -> bool:
        return "Pure module." in self.docstring or "Pure package." in self.docstring


def _read(folders: tuple[str, ...]) -> list[Source]:
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.name.endswith(("_pb2.py", "_pb2_grpc.py")):
                continue
            text = path.read_text()
            found.append(Source(path.relative_to(ROOT), text, ast.parse(text)))
    return found


@cache
def product() -> list[Source]:
    """The files of the product."""
    return _read(PARTS)


@cache
def everything() -> list[Source]:
    """The product, its tests and its benches."""
    return product() + _read(("tests", "bench"))


def imports(source: Source) -> set[str]:
    """The modules a file imports when it runs (what stands under TYPE_CHECKING does not)."""
    found: set[str] = set()
    for node in _walk_runtime(source.tree):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{name.name}" for name in node.names)
    return found


def _walk_runtime(tree: ast.AST) -> list[ast.AST]:
    nodes: list[ast.AST] = []
    for child in ast.iter_child_nodes(tree):
        guard = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        if not guard:
            nodes += [child, *_walk_runtime(child)]
    return nodes
