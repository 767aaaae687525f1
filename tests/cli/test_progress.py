"""The status line: only on a terminal, only after a second, never among standard output."""

from __future__ import annotations

import asyncio
import io
import sys

import pytest

from holdfast.cli import progress
from holdfast.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard error from now on. Called in the test: pytest sets its own before each one."""
    found = Terminal()
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "DELAY_S", 0.05)
    return found


async def test_quick_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    async with Progress("working"):
        pass
    assert terminal.getvalue() == ""


async def test_slow_work_shows_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = on_a_terminal(monkeypatch)
    async with Progress("working") as shown:
        await asyncio.sleep(0.3)
        shown.text("still working")
        shown.echo("pod/web deleted")
        await asyncio.sleep(0.15)
    assert "working" in terminal.getvalue() and "still working" in terminal.getvalue()
    assert capsys.readouterr().out == "pod/web deleted\n"


async def test_without_a_terminal_there_is_only_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "DELAY_S", 0.0)
    async with Progress("working") as shown:
        await asyncio.sleep(0.05)
        shown.echo("line")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("line\n", "")
