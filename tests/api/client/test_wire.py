"""Errors across the wire, waits, and the difference of two states."""

from __future__ import annotations

import grpc
import pytest

from holdfast.api import wire
from holdfast.api.client.backoff import Backoff
from holdfast.api.client.channels import explain
from holdfast.api.client.events import EventType
from holdfast.api.client.reflector import difference, key_of
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError, Cause, CauseReason, Reason


def _sent(error: ApiError) -> grpc.aio.AioRpcError:
    code, message, metadata = wire.trailers(error)
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*metadata), message)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_comes_back(reason: Reason) -> None:
    cause = Cause(CauseReason.REQUIRED, "spec.x", "must be there")
    error = ApiError(reason, "why", "Pod", "p", (cause,), 3)
    back = wire.from_rpc_error(_sent(error))
    assert vars(back) == vars(error)
    assert wire.has_status(_sent(error))


def test_huge_errors_stay_within_metadata() -> None:
    causes = tuple(Cause(CauseReason.INVALID, f"f{i}", "x" * 100) for i in range(500))
    error = ApiError(Reason.INVALID, "ä" * 5000, "Pod", "p", causes)
    code, message, ((_, data),) = wire.trailers(error)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert len(data) <= wire.STATUS_BYTES_MAX
    assert len(message.encode()) <= wire.MESSAGE_BYTES_MAX
    back = wire.from_rpc_error(_sent(error))
    assert back.causes[0] == causes[0]


def test_a_bare_failure_keeps_its_words() -> None:
    empty = grpc.aio.Metadata()
    bare = grpc.aio.AioRpcError(grpc.StatusCode.UNIMPLEMENTED, empty, empty, "Method not found!")
    assert wire.from_rpc_error(bare).reason is Reason.METHOD_NOT_ALLOWED
    assert wire.from_rpc_error(bare).message == "Method not found!"
    garbage = grpc.aio.Metadata((wire.STATUS_KEY, b"\xff\xff"))
    broken = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, empty, garbage, "gone")
    assert wire.from_rpc_error(broken).reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: "
         "Failed to connect to remote host: connect: Connection refused (111)",
         "connection refused"),
        ("… Ssl handshake failed: SSL_ERROR_SSL: CERTIFICATE_VERIFY_FAILED: self signed",
         "not issued by the cluster CA"),
        ("… WRONG_VERSION_NUMBER", "does not speak TLS"),
        ("failed; last error: DNS resolution failed", "DNS resolution failed"),
    ],
)  # fmt: skip
def test_connection_failures_in_plain_words(text: str, why: str) -> None:
    error = explain("host:7000", ApiError(Reason.UNAVAILABLE, text))
    assert error.message.startswith("cannot reach the control node at host:7000: ")
    assert why in error.message


def test_waits_double_up_to_a_limit() -> None:
    backoff = Backoff(first_s=0.05, most_s=1.0)
    waits = [backoff.next_s(0.999) for _ in range(8)]
    assert waits[0] <= 0.05
    assert waits == sorted(waits)
    assert 0.5 <= waits[-1] <= 1.0
    assert backoff.next_s(0.0) == 0.5
    backoff.reset()
    assert backoff.next_s(0.0) == 0.025


def _map(name: str, uid: str, revision: int) -> core.ConfigMap:
    message = core.ConfigMap()
    message.metadata.name, message.metadata.uid = name, uid
    message.metadata.resourceVersion = str(revision)
    return message


def test_the_difference_of_two_states() -> None:
    same, gone = _map("same", "1", 1), _map("gone", "3", 3)
    before = [same, _map("old", "2", 2), gone, _map("re", "4", 4)]
    after = [same, _map("old", "2", 9), _map("re", "5", 8), _map("new", "6", 7)]
    events = difference({key_of(m): m for m in before}, {key_of(m): m for m in after}, 20)
    assert [(e.type, e.object.metadata.name, e.revision) for e in events] == [
        (EventType.DELETED, "gone", 20),
        (EventType.DELETED, "re", 20),
        (EventType.MODIFIED, "old", 9),
        (EventType.ADDED, "re", 8),
        (EventType.ADDED, "new", 7),
    ]
