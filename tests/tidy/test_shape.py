"""The outer bounds of files, functions and folders, and words that promise unfinished work."""

from __future__ import annotations

import ast
import re
from collections import Counter

import pytest

from tests.tidy.source import ROOT, Source, everything, product

LINES_MAX = 600
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 7
MODULES_MAX = 15
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}
BANNED_WORDS = re.compile(r"\b(TODO|FIXME|XXX|for now|currently)\b")

# Functions that may be longer or take more, with the reason. This list only shrinks.
EXCEPTIONS: dict[str, str] = {}


def _functions() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    return [
        (f"{source.path}:{node.name}", node)
        for source in everything()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_files_stay_around_one_idea() -> None:
    long = {str(s.path): s.text.count("\n") for s in everything()}
    long = {path: lines for path, lines in long.items() if lines > LINES_MAX}
    assert not long, f"split by idea, not by size (at most {LINES_MAX} lines): {long}"


def test_functions_stay_short() -> None:
    long = {
        name: (node.end_lineno or node.lineno) - node.lineno + 1
        for name, node in _functions()
        if (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES_MAX
    }
    long = {name: lines for name, lines in long.items() if name not in EXCEPTIONS}
    assert not long, f"name each step (at most {FUNCTION_LINES_MAX} lines): {long}"


def test_functions_take_few_parameters() -> None:
    wide = {}
    for name, node in _functions():
        arguments = node.args
        count = len(arguments.posonlyargs + arguments.args) - _is_method(arguments)
        count += 0 if "tests/" in name else len(arguments.kwonlyargs)
        if count > PARAMETERS_MAX and name not in EXCEPTIONS:
            wide[name] = count
    assert not wide, f"group what belongs together (at most {PARAMETERS_MAX}): {wide}"


def _is_method(arguments: ast.arguments) -> int:
    first = (arguments.posonlyargs + arguments.args)[:1]
    return int(bool(first) and first[0].arg in ("self", "cls"))


def test_folders_stay_small() -> None:
    counts = Counter(s.path.parent for s in product() if s.path.name != "__init__.py")
    full = {str(folder): count for folder, count in counts.items() if count > MODULES_MAX}
    assert not full, f"give the parts of a big folder folders (at most {MODULES_MAX}): {full}"


@pytest.mark.parametrize("source", product(), ids=lambda s: str(s.path))
def test_modules_say_what_they_own(source: Source) -> None:
    if source.text.strip():
        assert len(source.docstring) > 30, f"{source.path}: open with a docstring that says why"


def test_modules_are_named_for_a_thing() -> None:
    bad = [str(s.path) for s in product() if s.path.stem in BANNED_NAMES]
    assert not bad, f"name the module for the thing or rule it holds: {bad}"


def test_no_words_of_unfinished_work() -> None:
    bad = [
        f"{source.path}:{number}"
        for source in everything()
        if source.path.parts[:2] != ("tests", "tidy")
        for number, line in enumerate(source.text.splitlines(), 1)
        if BANNED_WORDS.search(line)
    ]
    assert not bad, f"finish it, or write down why it is so: {bad}"


def test_links_of_the_package_point_to_its_folders() -> None:
    links = {
        path.name: str(path.readlink())
        for path in (ROOT / "holdfast").iterdir()
        if path.is_symlink()
    }
    assert links == {name: f"../{name}" for name in links}
    assert all((ROOT / name / "__init__.py").exists() for name in links)
