"""The supervisor: starts the processes of a plan in their order and keeps them running.

One task a process. A process that announces is ready when it wrote to its pipe; whoever waits
for it holds its `ready` event. One that ends is started again after a growing delay. Order at
the end: proxies and agents first, then the pods (teardown), then containerd and control.
Children but containerd die with the supervisor (a kernel signal), so a killed supervisor leaves
pods running and nothing that would fight with the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from holdfast.api import ready
from holdfast.api.errors import ApiError, Reason
from holdfast.cli.cluster import plan
from holdfast.cli.cluster.plan import Process
from holdfast.cli.cluster.settings import Settings

LOG_BYTES_MAX = 10 << 20
START_TIMEOUT_S = 60.0
JOIN_TIMEOUT_S = 30.0
"""More for each control node that joins."""
STOP_TIMEOUT_S = 10.0
FAILURES_AT_START_MAX = 3
TokenSource = Callable[[bool], Awaitable[str]]
"""Makes a join token, for a control node if so asked."""

log = structlog.get_logger()


class Supervisor:
    """Runs one plan. token: makes a join token, called when the control node is ready."""

    def __init__(self, settings: Settings, token: TokenSource) -> None:
        self._settings = settings
        self._token = token
        self._plan = plan.processes(settings)
        self._ready = {process.name: asyncio.Event() for process in self._plan}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        # Set by the first keeper that gives up on its process; `start` and `run` wait.
        self._given_up: asyncio.Future[ApiError] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Start every process. Returns when all are ready.

        Raises ApiError when one does not come up; its log says why.
        """
        for process in self._plan:
            self._keepers[process.name] = asyncio.create_task(self._keep(process))
        settled = asyncio.Event()  # set when all are ready or one gave up
        waiting = asyncio.create_task(self._all_ready())
        for future in (waiting, self._given_up):
            future.add_done_callback(lambda _future: settled.set())
        try:
            others = self._settings.control - 1
            async with asyncio.timeout(START_TIMEOUT_S + JOIN_TIMEOUT_S * others):
                await settled.wait()
        except TimeoutError:
            late = [name for name, event in self._ready.items() if not event.is_set()]
            raise self._failure(late[0], "is not ready") from None
        finally:
            waiting.cancel()
        if self._given_up.done():
            raise self._given_up.result()

    async def _all_ready(self) -> None:
        for event in self._ready.values():
            await event.wait()

    async def run(self) -> None:
        """Keep the processes running until cancelled, or until one cannot be (ApiError)."""
        raise await asyncio.shield(self._given_up)

    async def stop(self, *programs: str) -> None:
        """End the processes of these programs: SIGTERM, after ten seconds SIGKILL."""
        names = [process.name for process in self._plan if process.program in programs]
        for name in names:
            self._keepers.pop(name).cancel()
        await asyncio.gather(*(self._end(name) for name in names))

    async def _end(self, name: str) -> None:
        child = self._running.pop(name, None)
        if child is None or child.returncode is not None:
            return
        child.terminate()
        try:
            await asyncio.wait_for(child.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            log.warning("did not end in time, killed", process=name)
            child.kill()
            await child.wait()

    async def _keep(self, process: Process) -> None:
        for name in process.after:
            await self._ready[name].wait()
        failures = 0
        while True:
            started = time.monotonic()
            code = await self._run_once(process)
            ran_s = time.monotonic() - started
            failures = failures + 1 if ran_s < plan.QUIET_S else 0
            log.warning("ended", process=process.name, code=code, ran_s=round(ran_s, 1))
            if failures >= FAILURES_AT_START_MAX and not self._ready[process.name].is_set():
                what = f"ended {failures} times, last with code {code}"
                if not self._given_up.done():
                    self._given_up.set_result(self._failure(process.name, what))
                return
            await asyncio.sleep(plan.restart_delay_s(failures, ran_s))

    async def _run_once(self, process: Process) -> int:
        """Start a process, mark it ready when it is, return its exit code."""
        if process.joins is not None and not (process.joined and process.joined.exists()):
            await self._write_token(process.joins, control=process.program == "control")
        reading, writing = os.pipe()
        output = _open_log(self._settings.logs / f"{process.name}.log")
        try:
            child = await asyncio.create_subprocess_exec(
                *command(process),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(writing,),
                env={**os.environ, ready.VARIABLE: str(writing)},
                start_new_session=True,
            )
        finally:
            os.close(writing)
            os.close(output)
        self._running[process.name] = child
        announced = asyncio.create_task(self._await_ready(process, reading))
        try:
            return await child.wait()
        finally:
            announced.cancel()

    async def _await_ready(self, process: Process, reading: int) -> None:
        """Set the event when the byte comes; end of file means it died before."""
        stream = asyncio.StreamReader(limit=1)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb", 0)
        )
        try:
            if not process.announces or await stream.read(1):
                self._ready[process.name].set()
        finally:
            transport.close()

    async def _write_token(self, path: Path, *, control: bool) -> None:
        """A join token for a node that has no certificate yet, or a new control node."""
        token = await self._token(control)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(0o600)
        path.write_text(token + "\n")

    def _failure(self, name: str, what: str) -> ApiError:
        path = self._settings.logs / f"{name}.log"
        return ApiError(Reason.UNAVAILABLE, f"{name} {what}:\n{_last_lines(path)}\n(from {path})")


def command(process: Process) -> list[str]:
    """The argument vector of a process: in its namespace, and ending with its supervisor."""
    program = [sys.executable, "-m", f"holdfast.{process.program}", *process.arguments]
    prefix: list[str] = []
    if process.program != "runtime":  # containerd outlives us: it holds the pods
        prefix += ["setpriv", "--pdeathsig", "TERM"]
    if process.namespace:
        # Not `ip netns exec`: that remounts /sys and hides the cgroups from runc.
        prefix += ["nsenter", f"--net=/run/netns/{process.namespace}"]
    return prefix + program


async def until_signalled() -> None:
    """Wait for SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _open_log(path: Path) -> int:
    """A log to append to; one over 10 MiB becomes `.1` first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _last_lines(path: Path, count: int = 8) -> str:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return "(it wrote no log)"
    return "\n".join(lines[-count:])
