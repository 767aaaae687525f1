"""Keep container logs bounded: rotate what grew too large, drop the oldest, never lose a line.

A log is renamed, then the runtime opens its file anew (ReopenContainerLog); what it wrote between
the two is in the renamed file. Followers find the next file by its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import structlog

from holdfast.node.machine.containers import Stage
from holdfast.node.machine.pod import PodMachine
from holdfast.node.specs import building
from holdfast.node.specs.building import Place
from holdfast.runtime.interface import Runtime, RuntimeFault

LOG_BYTES_MAX = 10 << 20
FILES_MAX = 4
EVERY_S = 10.0

log = structlog.get_logger()


async def rotate_all(runtime: Runtime, place: Place, machines: Iterable[PodMachine]) -> int:
    """Rotate every log that is too large; returns how many were."""
    count = 0
    for machine in machines:
        for record in list(machine.records()):
            if record.stage is not Stage.RUNNING:
                continue
            directory = place.log_directory(machine.pod)
            path = directory / building.log_name(record.name, record.restarts)
            try:
                if await asyncio.to_thread(_rename, path):
                    await runtime.reopen_log(record.id)
                    count += 1
            except (OSError, RuntimeFault) as error:
                log.warning("log not rotated", path=str(path), why=str(error))
            drop_old_runs(path.parent, record.restarts)
    return count


def _rename(path: Path) -> bool:
    """Move a log that is too large out of its name: .1 is the newest of the old ones."""
    if not path.exists() or path.stat().st_size < LOG_BYTES_MAX:
        return False
    for number in range(FILES_MAX - 1, 0, -1):
        old = path.with_name(f"{path.name}.{number}")
        if not old.exists():
            continue
        if number == FILES_MAX - 1:
            old.unlink()
        else:
            old.rename(path.with_name(f"{path.name}.{number + 1}"))
    path.rename(path.with_name(f"{path.name}.1"))
    return True


def drop_old_runs(directory: Path, restarts: int) -> None:
    """Only the logs of this run and of the one before it are kept."""
    if not directory.is_dir():
        return
    for path in directory.iterdir():
        run = path.name.partition(".")[0]
        if run.isdigit() and int(run) < restarts - 1:
            path.unlink(missing_ok=True)
