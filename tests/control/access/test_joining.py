"""Join, identity, renewal and revocation over real listeners with real certificates."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holdfast.api.client import Client
from holdfast.api.client.endpoint import Endpoint
from holdfast.api.errors import ApiError, Reason
from holdfast.api.rpc.v1 import cluster_pb2 as wire
from holdfast.api.tls import certificates, joining, keys, tokens
from holdfast.api.tls.assertion import Asserter
from holdfast.api.tls.tokens import JoinTarget
from holdfast.control.access.attempts import FAILURES_MAX
from holdfast.control.access.ca import Lifetimes
from tests.control.access.doors import (
    Clock,
    Open,
    call,
    channel,
    open_doors,
    refused,
    who,
    who_on,
)


@pytest.fixture
async def doors(tmp_path: Path) -> Any:
    async with open_doors(tmp_path, Clock(time.time())) as opened:
        yield opened


async def _target(doors: Open, **options: Any) -> JoinTarget:
    request = wire.CreateTokenRequest(**options)
    reply = await call(doors.mutual, doors.admin(), "CreateToken", request)
    return tokens.parse_target(f"{reply.token}@{doors.tokens_at}")


async def _joined(doors: Open, name: str = "n1") -> Endpoint:
    endpoint = await joining.join(await _target(doors), name)
    assert endpoint.addresses == ("control.test:6444",)
    return replace(endpoint, addresses=(doors.mutual,))


async def test_a_token_makes_a_node(doors: Open) -> None:
    endpoint = await _joined(doors)
    assert await who(doors.mutual, endpoint) == "system:node:n1 system:nodes"
    assert await who(doors.mutual, doors.admin()) == "holdfast-admin system:masters"


async def test_renewal_gives_the_same_identity_another_key(doors: Open) -> None:
    endpoint = await _joined(doors)
    newer = replace(await joining.renew(endpoint), addresses=(doors.mutual,))
    assert newer.key_pem != endpoint.key_pem
    assert await who(doors.mutual, newer) == await who(doors.mutual, endpoint)


async def test_many_identities_share_one_connection(doors: Open) -> None:
    headers = {}
    for name in ("n1", "n2"):
        endpoint = await _joined(doors, name)
        assert endpoint.certificate_pem
        assert endpoint.key_pem
        asserter = Asserter(endpoint.ca_pem, endpoint.certificate_pem, endpoint.key_pem)
        headers[name] = asserter.header(doors.clock())
    async with channel(doors.tokens_at, Endpoint((), doors.authority.pem)) as shared:
        for name in ("n1", "n2", "n1"):
            assert await who_on(shared, headers[name]) == f"system:node:{name} system:nodes"
        doors.clock.now += 3601
        error = await refused(who_on(shared, headers["n1"]))
        assert "has expired" in error.message


async def test_the_token_listener_takes_nobody_without_proof(doors: Open) -> None:
    bare = Endpoint((), doors.authority.pem)
    for header, says in (
        ("", "no client certificate"),
        ("Bearer abc", 'must begin with "Holdfast-Certificate"'),
        ("Holdfast-Certificate abc", "another form"),
    ):
        error = await refused(who(doors.tokens_at, bare, header))
        assert error.reason is Reason.UNAUTHORIZED
        assert says in error.message


async def test_a_connection_with_a_certificate_has_one_identity(doors: Open) -> None:
    error = await refused(who(doors.mutual, doors.admin(), "Holdfast-Certificate x"))
    assert "a certificate of its own" in error.message


async def test_revoked_certificates_are_refused_at_once_and_new_ones_are_good(
    doors: Open,
) -> None:
    endpoint = await _joined(doors)
    assert endpoint.certificate_pem
    assert endpoint.key_pem
    header = Asserter(endpoint.ca_pem, endpoint.certificate_pem, endpoint.key_pem).header(
        doors.clock()
    )
    told: list[str] = []
    doors.revocations.listen(told.append)
    async with channel(doors.mutual, endpoint) as standing:
        assert await who_on(standing)
        request = wire.RevokeCertificateRequest(identity="system:node:n1")
        await call(doors.mutual, doors.admin(), "RevokeCertificate", request)
        error = await refused(who_on(standing))
    assert error.reason is Reason.UNAUTHORIZED
    assert error.message == 'the certificate of "system:node:n1" was revoked: join again'
    assert told == ["system:node:n1"]
    error = await refused(who(doors.tokens_at, Endpoint((), doors.authority.pem), header))
    assert "was revoked" in error.message
    assert (await refused(joining.renew(endpoint))).reason is Reason.UNAUTHORIZED
    doors.clock.now += 0.001
    assert await who(doors.mutual, await _joined(doors))


async def test_revocation_outlives_a_restart(tmp_path: Path) -> None:
    clock = Clock(time.time())
    async with open_doors(tmp_path, clock) as before:
        endpoint = await _joined(before)
        await before.revocations.revoke("system:node:n1", clock(), b"r" * 16)
    async with open_doors(tmp_path, clock) as after:
        error = await refused(who(after.mutual, endpoint))
        assert "was revoked" in error.message


async def test_an_expired_certificate_is_refused_on_a_connection_that_stands(
    doors: Open,
) -> None:
    async with channel(doors.mutual, await _joined(doors)) as standing:
        assert await who_on(standing)
        doors.clock.now += 86400
        error = await refused(who_on(standing))
    assert error.reason is Reason.UNAUTHORIZED
    assert "has expired" in error.message


async def test_an_expired_certificate_does_not_get_a_connection(doors: Open) -> None:
    now = doors.clock.now
    doors.clock.now = now - 2 * 86400
    endpoint = await _joined(doors)
    doors.clock.now = now
    error = await refused(who(doors.mutual, endpoint))
    assert error.reason is Reason.UNAVAILABLE


async def test_certificates_of_another_cluster_are_refused_with_a_clear_word(
    doors: Open, tmp_path: Path
) -> None:
    async with open_doors(tmp_path / "other", Clock(time.time())) as other:
        mine = await _joined(doors)
        # We trust the other cluster's control node no more than it trusts us.
        client = Client.connect(replace(mine, addresses=(other.mutual,)))
        error = await refused(client.get("nodes", "n1"))
        assert error.reason is Reason.UNAVAILABLE
        assert "its certificate was not issued by the cluster CA given" in error.message
        await client.close()
        # Even when we are made to trust it, it does not take our certificate.
        stranger = replace(mine, ca_pem=other.authority.pem)
        assert (await refused(who(other.mutual, stranger))).reason is Reason.UNAVAILABLE
        # Nor our token: the certificate inside it is of this cluster.
        target = replace(await _target(doors), address=other.tokens_at)
        error = await refused(joining.join(target, "n2"))
        assert f"cannot reach the control node at {other.tokens_at}" in error.message
        assert "not issued by the cluster CA" in error.message


async def test_a_control_node_that_is_not_there_is_named(doors: Open) -> None:
    target = replace(await _target(doors), address="127.0.0.1:1")
    error = await refused(joining.join(target, "n1"))
    assert error.message.startswith("cannot reach the control node at 127.0.0.1:1: ")


async def test_the_server_certificate_is_replaced_under_standing_connections(
    tmp_path: Path,
) -> None:
    clock = Clock(time.time())
    async with open_doors(tmp_path, clock, Lifetimes(server_s=900)) as doors:
        admin = doors.admin()
        async with channel(doors.mutual, admin) as standing:
            assert await who_on(standing)
            before = doors.certificate._shown
            clock.now += 599
            assert await who(doors.mutual, admin)
            assert doors.certificate._shown is before
            clock.now += 1
            assert await who(doors.mutual, admin)
            assert doors.certificate._shown is not before
            assert await who_on(standing)


@pytest.mark.parametrize("name", ["", "Worker", "a_b", "-a", "a..b", "a" * 53, "a\n"])
async def test_bad_names_are_refused_and_use_nothing_up(doors: Open, name: str) -> None:
    target = await _target(doors, uses=1)
    error = await refused(joining.join(target, name))
    assert error.reason is Reason.BAD_REQUEST
    assert await joining.join(target, "good")


async def test_a_token_ends_with_its_uses(doors: Open) -> None:
    target = await _target(doors, uses=2, description="two machines")
    both = await asyncio.gather(
        *(joining.join(target, f"n{number}") for number in range(3)), return_exceptions=True
    )
    errors = [answer for answer in both if isinstance(answer, ApiError)]
    assert [error.reason for error in errors] == [Reason.UNAUTHORIZED]
    assert not (
        await call(doors.mutual, doors.admin(), "ListTokens", wire.ListTokensRequest())
    ).tokens


async def test_a_token_ends_with_its_time(doors: Open) -> None:
    target = await _target(doors, lifetime_s=60)
    doors.clock.now += 60
    assert (await refused(joining.join(target, "n1"))).reason is Reason.UNAUTHORIZED


async def test_tokens_are_listed_without_secrets_and_revoked(doors: Open) -> None:
    target = await _target(doors, lifetime_s=60, description="rack 7")
    reply = await call(doors.mutual, doors.admin(), "ListTokens", wire.ListTokensRequest())
    [row] = reply.tokens
    assert (row.id, row.description, row.uses_left) == (target.token.id, "rack 7", -1)
    assert row.expires_at_s == int(doors.clock()) + 60
    assert target.token.secret not in str(reply)
    stored = doors.engine.rows("~tokens")[0].value.decode()
    assert target.token.secret not in stored
    request = wire.RevokeTokenRequest(id=target.token.id)
    await call(doors.mutual, doors.admin(), "RevokeToken", request)
    assert (await refused(joining.join(target, "n1"))).reason is Reason.UNAUTHORIZED
    error = await refused(call(doors.mutual, doors.admin(), "RevokeToken", request))
    assert error.reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (wire.CreateTokenRequest(lifetime_s=-1), "lifetime_s"),
        (wire.CreateTokenRequest(lifetime_s=366 * 86400), "lifetime_s"),
        (wire.CreateTokenRequest(uses=-1), "uses"),
        (wire.CreateTokenRequest(description="x" * 257), "description"),
    ],
)
async def test_bad_tokens_are_not_made(
    doors: Open, request_: wire.CreateTokenRequest, says: str
) -> None:
    error = await refused(call(doors.mutual, doors.admin(), "CreateToken", request_))
    assert error.reason is Reason.BAD_REQUEST
    assert says in error.message


async def test_only_administrators_rule_over_tokens_and_certificates(doors: Open) -> None:
    node = await _joined(doors)
    for method, request in (
        ("CreateToken", wire.CreateTokenRequest()),
        ("ListTokens", wire.ListTokensRequest()),
        ("RevokeToken", wire.RevokeTokenRequest(id="x")),
        ("RevokeCertificate", wire.RevokeCertificateRequest(identity="system:node:n2")),
    ):
        error = await refused(call(doors.mutual, node, method, request))
        assert error.reason is Reason.FORBIDDEN, method


async def test_a_connected_node_is_not_joined_twice(doors: Open) -> None:
    target = await _target(doors, uses=1)
    doors.connected.add("n1")
    error = await refused(joining.join(target, "n1"))
    assert error.reason is Reason.CONFLICT
    assert error.message == 'node "n1" is connected already: give this machine another name'
    doors.connected.clear()
    assert await joining.join(target, "n1")


async def test_guessing_is_held_off(doors: Open) -> None:
    target = await _target(doors)
    wrong = replace(target, token=replace(target.token, secret="a" * 32))
    for _ in range(FAILURES_MAX):
        assert (await refused(joining.join(wrong, "n1"))).reason is Reason.UNAUTHORIZED
    error = await refused(joining.join(target, "n1"))
    assert error.reason is Reason.TOO_MANY_REQUESTS
    assert error.retry_after_s == 60
    doors.clock.now += 61
    assert await joining.join(target, "n1")


async def test_the_caller_sees_no_difference_between_wrong_tokens(doors: Open) -> None:
    target = await _target(doors)
    errors = [
        await refused(joining.join(replace(target, token=token), "n1"))
        for token in (
            replace(target.token, secret="a" * 32),
            replace(target.token, id="zzzzzz"),
        )
    ]
    assert len({error.message for error in errors}) == 1


async def test_a_bad_request_for_a_certificate_is_named(doors: Open) -> None:
    request = wire.RenewRequest(csr_pem=b"nonsense")
    error = await refused(call(doors.mutual, doors.admin(), "Renew", request))
    assert error.message == "csr_pem is not a certificate signing request in PEM form"


async def test_a_renewed_certificate_lives_as_long_as_its_sort(tmp_path: Path) -> None:
    clock = Clock(time.time())
    async with open_doors(tmp_path, clock, Lifetimes(node_s=600)) as doors:
        endpoint = await _joined(doors)
        assert endpoint.certificate_pem
        issued = certificates.from_pem(endpoint.certificate_pem)
        assert issued.not_after - issued.not_before == 600
        assert issued.renew_at == pytest.approx(clock() + 400, abs=2)
        reply = await call(
            doors.mutual,
            doors.admin(),
            "Renew",
            wire.RenewRequest(csr_pem=keys.request(keys.new())),
        )
        admin = certificates.from_pem(reply.certificate_pem)
        assert admin.not_after - admin.not_before == doors.authority.lifetimes.admin_s
