"""How the tests are run: their log lines, and how the workers of pytest-xdist share the work.

Every worker imports every test module, and pytest rewrites the assertions of each. The second goes
through them from the other end, so that on a fresh clone each worker compiles one half and reads
the other half from what its sibling has stored. A file is run by one worker, for its module's
fixtures; tests/cli by one, together and first, for the cluster of processes that it starts.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Generator

import pytest
import structlog
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

CLUSTER = "tests/cli/"
"""The folder whose tests share one cluster, ended after the last of them."""


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Whole files, in the random order they come in; those of the cluster as if they were one."""

    def _split_scope(self, nodeid: str) -> str:
        return CLUSTER if nodeid.startswith(CLUSTER) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    config.option.loadscopereorder = False
    return FileScheduling(config, log)


def pytest_configure() -> None:
    # As structlog comes, but for its traceback: rich draws each frame and its source in a box.
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])
    # A plain shell's job in the background ignores SIGINT, and so would what tests start here.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if config.pluginmanager.hasplugin("dsession") or config.getoption("--hypothesis-profile", None):
        return
    from hypothesis import settings  # here: the process that only hands out tests needs it not
    from hypothesis.internal.conjecture import providers

    # How long one example takes is up to the rest of the machine; pytest's timeout bounds a test.
    settings.register_profile("unit", deadline=None)
    settings.load_profile("unit")
    # Examples come from a test's own strategies: not also, now and then, from the literals of all
    # modules that happen to be imported, which each worker parses for seconds on a fresh clone.
    providers._get_local_constants = lambda: providers._local_constants


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    # What is imported and collected stays to the end: it is never looked through for garbage, which
    # costs a third of a second each time. What tests leave is, as always.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if _is_second(collector.config) and isinstance(collector, pytest.Directory):
        report.result = list(reversed(report.result or []))
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    # Before the shuffle by seed, which must meet the same order in every worker.
    items.sort(key=lambda item: item.path)
    yield
    items.sort(key=lambda item: not item.nodeid.startswith(CLUSTER))


def _is_second(config: pytest.Config) -> bool:
    number = getattr(config, "workerinput", {}).get("workerid", "gw0").removeprefix("gw")
    return int(number) % 2 == 1
