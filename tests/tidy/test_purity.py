"""What decides stays free of clocks, randomness and I/O, and messages are read with care."""

from __future__ import annotations

import ast

from tests.tidy.source import Source, imports, product

IMPURE = {
    "aiosqlite", "asyncio", "datetime.datetime.now", "grpc", "os", "random", "secrets", "socket",
    "sqlite3", "subprocess", "threading", "time", "uuid",
}  # fmt: skip
# Map fields of Kubernetes' messages: reading one with [...] inserts the key.
MAPS = {
    "labels", "annotations", "matchLabels", "nodeSelector", "data", "binaryData", "stringData",
    "limits", "requests", "capacity", "allocatable", "sysctls", "overhead",
}  # fmt: skip
# Only these modules of control/ may read the clock or draw ids: they hand them on as arguments.
CLOCKS = {"holdfast.control.main"}


def _reach(start: Source, by_name: dict[str, Source]) -> dict[str, str]:
    """Every module reached from `start`, and from which one it was reached."""
    reached: dict[str, str] = {}
    todo = [start]
    while todo:
        source = todo.pop()
        for name in sorted(imports(source)):
            if name in reached:
                continue
            reached[name] = source.module
            if name in by_name and name != start.module:
                todo.append(by_name[name])
    return reached


def test_pure_modules_reach_no_clock_and_no_io() -> None:
    by_name = {source.module: source for source in product()}
    bad = []
    for source in product():
        if source.pure:
            reached = _reach(source, by_name)
            bad += [
                f"{source.path} → {reached[name]} → {name}"
                for name in sorted(IMPURE & set(reached))
            ]
    assert not bad, "pass time, randomness and ids in as arguments:\n" + "\n".join(bad)


def test_control_takes_time_and_ids_as_arguments() -> None:
    bad = [
        f"{source.path}: {name}"
        for source in product()
        if source.path.parts[0] == "control" and source.module not in CLOCKS
        for name in sorted({"time", "uuid", "random", "secrets"} & imports(source))
    ]
    assert not bad, f"control/main hands these in, so that a simulation can: {bad}"


def test_map_fields_are_read_with_get() -> None:
    bad = []
    for source in product():
        for node in ast.walk(source.tree):
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.ctx, ast.Load)
                and isinstance(node.value, ast.Attribute)
                and node.value.attr in MAPS
                and not isinstance(node.slice, ast.Slice)
            ):
                bad.append(f"{source.path}:{node.lineno}")
    assert not bad, f"indexing a protobuf map inserts the key: use .get or `in`: {bad}"
