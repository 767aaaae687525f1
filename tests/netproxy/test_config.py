"""Each wrong flag is one sentence that names it, and nothing is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from holdfast.api.errors import ApiError
from holdfast.netproxy.__main__ import config_of, main, parser
from holdfast.netproxy.config import NetproxyConfig, checked

GOOD = NetproxyConfig("n1", Path("/x"), Path("/x/credentials"))


@pytest.mark.parametrize(
    ("wrong", "flag"),
    [
        ({"cluster_cidr": "10.244.0.0"}, "--cluster-cidr"),
        ({"service_cidr": "10.96.0.1/16"}, "--service-cidr"),
        ({"service_cidr": "10.244.4.0/24", "dns_address": ""}, "--service-cidr"),
        ({"node_ip": "n1"}, "--node-ip"),
        ({"dns_address": "10.1.0.10"}, "--dns"),
        ({"upstreams": ("10.96.0.10",)}, "--upstream"),
        ({"upstreams": ("dns.example",)}, "--upstream"),
    ],
)
def test_a_wrong_flag_is_named(wrong: dict[str, str], flag: str) -> None:
    with pytest.raises(ApiError, match=flag):
        checked(replace(GOOD, **wrong))  # type: ignore[arg-type]


def test_flags_become_the_config() -> None:
    flags = parser().parse_args(["--name", "n1", "--dir", "/x", "--upstream", "9.9.9.9"])
    config = checked(config_of(flags))
    assert config == replace(GOOD, upstreams=("9.9.9.9",))


@pytest.fixture
def own_log() -> Iterator[None]:
    """The program sets up the log of its process: put back afterwards."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.usefixtures("own_log")
def test_a_mistake_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--name", "n1", "--dir", "/x", "--node-ip", "x", "--log-level", "error"]) == 1
    assert capsys.readouterr().err == 'error: --node-ip "x" is not IPv4\n'
