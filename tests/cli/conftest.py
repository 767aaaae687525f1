from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import objects
from tests.cli.running import Cluster, cluster

_numbers = itertools.count(1)


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all tests of the command line."""
    with cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture(scope="module")
def here(started: Cluster) -> Cluster:
    """The cluster, in a namespace of the module's own."""
    return started.inside(f"test-{next(_numbers)}")


@pytest.fixture(scope="module")
def web(here: Cluster) -> Cluster:
    """The Deployment `web` with its Service and Secret, rolled out on the hollow nodes."""
    text = "---\n".join((objects.SECRET, objects.DEPLOYMENT, objects.SERVICE))
    here.run("apply", "-f", "-", stdin=text)
    here.run("rollout", "status", "deployment/web", "--timeout=20s")
    return here


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory for manifests."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
