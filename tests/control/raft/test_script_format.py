"""The format of scripts, what counts as equal, and what the runner says of a bad script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.control.raft.scripts.comparison import difference, significant
from tests.control.raft.scripts.datadriven import Argument, ScriptError, parse, rewrite
from tests.control.raft.scripts.describe import quoted
from tests.control.raft.scripts.runs import collect, kind, run

ROOT = Path(__file__).parents[3]

DOUBLE = """# a comment

first 1 key=value list=(1, 2,3) none=()
some input
and more
----
one
two

second \\
  go on
----
----
one

two
----
----

third
----
"""


def test_blocks() -> None:
    first, second, third = parse(DOUBLE)
    assert (first.command, first.line) == ("first", 3)
    assert first.arguments == (
        Argument("1"),
        Argument("key", ("value",)),
        Argument("list", ("1", "2", "3")),
        Argument("none"),
    )
    assert first.input == "some input\nand more"
    assert first.expected == ("one", "two")
    assert first.option("key") == "value"
    assert first.option("absent") is None
    assert second.words() == ("go", "on")
    assert second.expected == ("one", "", "two")
    assert (third.command, third.expected) == ("third", ())


def test_rewriting_with_what_was_expected_changes_nothing() -> None:
    assert rewrite(DOUBLE, [list(block.expected) for block in parse(DOUBLE)]) == DOUBLE


def test_rewriting_replaces_the_expected_output_only() -> None:
    text = rewrite("# why\na\n----\nold\nold\n\nb\n----\nx\n", [["new"], ["x", "", "y"]])
    assert text == "# why\na\n----\nnew\n\nb\n----\n----\nx\n\ny\n----\n----\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\n\nb\n", "line 1: no ----"),
        ("a\n----\n----\nx\n----\n", "line 3: the double ---- is not closed"),
        ("a\n----\n----\nx\n----\n----\ny\n", "line 7: text after a double ----"),
    ],
)
def test_a_bad_script_is_refused(text: str, says: str) -> None:
    with pytest.raises(ScriptError, match=says):
        parse(text)


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ([], ["ok"]),
        (["", "  "], ["ok"]),
        (["INFO a", "  DEBUG b", "WARN c", "ERROR d", "FATAL e"], ["ok"]),
        (["INFORM a", "x INFO b", "INFO"], ["INFORM a", "x INFO b", "INFO"]),
        (["a", "", "  b"], ["a", "  b"]),
    ],
)
def test_what_counts(lines: list[str], left: list[str]) -> None:
    assert significant(lines) == left


@pytest.mark.parametrize(
    ("expected", "actual", "equal"),
    [
        (["ok"], [], True),
        (["ok"], ["INFO x"], True),
        (["a", "INFO x", "b"], ["a", "", "b"], True),
        (["a"], [" a"], False),
        (["a"], ["a "], False),
        (["a", "b"], ["b", "a"], False),
        (["a"], ["a", "a"], False),
        (["ok"], ["a"], False),
    ],
)
def test_difference(expected: list[str], actual: list[str], equal: bool) -> None:
    assert (difference(expected, actual, "t") == []) is equal


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", '""'),
        (b"abc", '"abc"'),
        (b'a"b\\c', r'"a\"b\\c"'),
        (b"\n\t\x00\x7f", r'"\n\t\x00\x7f"'),
        (b"\xff\xc3", r'"\xff\xc3"'),
        ("grün".encode(), '"grün"'),
        ("\u200b".encode(), r'"\u200b"'),
    ],
)
def test_data_is_quoted(data: bytes, text: str) -> None:
    assert quoted(data) == text


def test_the_folder_tells_the_kind() -> None:
    assert kind(Path("/x/quorum/a.txt")) == "quorum"
    assert kind(Path("/x/quorum/testdata/a.txt")) == "quorum"
    assert kind(Path("/quorum/interaction/a.txt")) == "interaction"
    with pytest.raises(ScriptError, match="no folder above it"):
        kind(Path("/x/other/a.txt"))


def _script(folder: Path, text: str, kind_of: str = "interaction") -> Path:
    (folder / kind_of).mkdir(exist_ok=True)
    path = folder / kind_of / "script.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no command"),
        ("campaign 1\n----\nok\n", "script.txt:1 (campaign): there is no member 1"),
        ("add-nodes 1 speed=9\n----\nok\n", "(add-nodes): no option speed"),
        ("add-nodes 1 prevote=maybe\n----\nok\n", "maybe is neither true nor false"),
        (
            "add-nodes 1\n----\nok\n\ncrash 1\n----\nok\n\ntick-election 1\n----\nok\n",
            "script.txt:9 (tick-election): member 1 has crashed",
        ),
        ("add-nodes many\n----\nok\n", "(add-nodes): many is no number"),
        ("add-nodes\n----\nok\n", "(add-nodes): add-nodes needs 1 numbers"),
        ("deliver-msgs 1 type=MsgNone\n----\nok\n", "unknown message type MsgNone"),
        ("deliver-msgs 1 drop=(1)\n----\nok\n", "can't both deliver and drop msgs to 1"),
    ],
)
def test_the_runner_names_the_fault(text: str, says: str, tmp_path: Path) -> None:
    assert says in run(_script(tmp_path, text)).problem


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("dance", "unknown command"),
        ("log-level loud", "log levels must be either of [DEBUG INFO WARN ERROR FATAL NONE]"),
        ("add-nodes 1 voters=(1) index=1", "index must be specified as > 1 due to bootstrap"),
        ("add-nodes 1 read-only=perhaps", 'invalid read-only option "perhaps"'),
        ("_breakpoint", "ok"),
        ("raft-state", "ok"),
        ("propose-conf-change 1\nx1", "unknown input: x1"),
        ("propose-conf-change 1\nv", "unknown token v"),
        ("propose-conf-change 1 transition=odd\nv1", "unknown transition odd"),
        (
            "propose-conf-change 1 v1=true\nv1 v2",
            "v1 conf change can only have one operation and no transition",
        ),
    ],
)
def test_errors_are_output(command: str, printed: str, tmp_path: Path) -> None:
    start = "add-nodes 1 voters=(1) index=3\n----\nok\n\n"
    if command == "raft-state":
        start = ""
    outcome = run(_script(tmp_path, f"{start}{command}\n----\n{printed}\n"))
    assert not outcome.problem, outcome.problem


def test_errors_are_printed_where_all_else_is_silenced(tmp_path: Path) -> None:
    silent = "log-level none\n----\nok\n\nadd-nodes 1 voters=(1) index=3\n----\nok\n\n"
    text = silent + "propose 1 x\n----\nraft proposal dropped\n\nraft-state\n----\nok\n"
    outcome = run(_script(tmp_path, text))
    assert not outcome.problem, outcome.problem


def test_paths(tmp_path: Path) -> None:
    script = _script(tmp_path, "a\n----\n")
    assert collect([tmp_path]) == [script]
    assert collect([script]) == [script]
    with pytest.raises(ScriptError, match="does not exist"):
        collect([tmp_path / "absent"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScriptError, match="holds no script"):
        collect([tmp_path / "empty"])


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.control.raft.scripts", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_the_command_line_shows_a_difference(tmp_path: Path) -> None:
    path = _script(tmp_path, "simple\nv1\n----\nvoters=(2)\n", "confchange")
    done = _command(str(path))
    assert done.returncode == 1
    assert "-voters=(2)\n+voters=(1)\n" in done.stdout
    assert "1 of 1 scripts differ" in done.stdout


def test_the_command_line_is_content_and_rewrites_only_ours(tmp_path: Path) -> None:
    expected = "voters=(1)\n1: StateProbe match=0 next=1\n"
    path = _script(tmp_path, f"simple\nv1\n----\n{expected}", "confchange")
    done = _command(str(path))
    assert (done.returncode, done.stdout) == (
        0,
        "1 scripts, 1 commands on memory: all as expected\n",
    )
    done = _command("--rewrite", str(path))
    assert done.returncode == 2
    assert "is not ours" in done.stderr
