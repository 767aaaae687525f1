"""Steps from one state to the next: small, strict, and put right what others broke."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.netproxy.filters import Applied, FilterError
from holdfast.netproxy.forwarding import Forwarding, ServicePort, Target
from holdfast.netproxy.iptables.backend import IptablesFilter
from holdfast.netproxy.iptables.fake import FakeIptables
from tests.netproxy.iptables.worlds import world

FOREIGN = "*nat\n:HOLDFASTISH - [0:0]\n-A HOLDFASTISH -j RETURN\nCOMMIT\n"


def without_target(forwarding: Forwarding, name: str, target: Target) -> Forwarding:
    def left(port: ServicePort) -> ServicePort:
        targets = tuple(one for one in port.targets if one != target)
        return replace(port, targets=targets) if port.name == name else port

    return replace(forwarding, ports=tuple(map(left, forwarding.ports)))


async def test_an_endpoint_that_goes_rewrites_one_chain_and_deletes_one() -> None:
    fake = FakeIptables()
    backend = IptablesFilter(fake)
    await backend.apply(world())
    less = without_target(world(), "default/web", Target("10.244.1.6", 8080))
    assert await backend.apply(less) == Applied(written=1, deleted=1)
    assert "*filter" not in fake.transactions[-1]
    assert "10.244.1.6" not in fake.print("nat")


async def test_nothing_to_do_runs_nothing() -> None:
    fake = FakeIptables()
    backend = IptablesFilter(fake)
    await backend.apply(world())
    assert await backend.apply(world()) == Applied()
    assert len(fake.transactions) == 1


async def test_a_new_run_takes_over_what_is_there() -> None:
    fake = FakeIptables()
    await IptablesFilter(fake).apply(world())
    assert await IptablesFilter(fake).apply(world()) == Applied()


async def test_order_of_the_input_does_not_matter() -> None:
    fake = FakeIptables()
    backend = IptablesFilter(fake)
    await backend.apply(world())
    shuffled = replace(world(), ports=tuple(reversed(world().ports)))
    assert await backend.apply(shuffled) == Applied()


@pytest.mark.parametrize(
    "damage",
    [
        '*nat\n-D POSTROUTING -m comment --comment "holdfast: leaving" -j HOLDFAST-POSTROUTING\n',
        "*nat\n-I HOLDFAST-MARK -j RETURN\n",
        "*nat\n:HOLDFAST-SERVICES - [0:0]\n",
        "*filter\n:HOLDFAST-STRAY - [0:0]\n-I FORWARD -j HOLDFAST-STRAY\n",
        "*filter\n-I FORWARD -m comment --comment"
        ' "holdfast: what nobody serves, what is ours" -j HOLDFAST-FORWARD\n',
    ],
)
async def test_damage_by_others_is_put_right(damage: str) -> None:
    fake = FakeIptables()
    backend = IptablesFilter(fake)
    await backend.apply(world())
    before = fake.print("nat"), fake.print("filter")
    await fake.restore(f"{damage}COMMIT\n")
    assert (fake.print("nat"), fake.print("filter")) != before
    backend.forget()
    await backend.apply(world())
    assert (fake.print("nat"), fake.print("filter")) == before


async def test_removal_leaves_what_is_not_ours() -> None:
    fake = FakeIptables()
    await fake.restore(FOREIGN)
    before = fake.print("nat"), fake.print("filter")
    backend = IptablesFilter(fake)
    await backend.apply(world())
    await backend.remove()
    assert (fake.print("nat"), fake.print("filter")) == before


class FailingTool(FakeIptables):
    """Refuses the next transaction, after the tool changed one table of two."""

    def __init__(self) -> None:
        super().__init__()
        self.failing = True

    async def restore(self, transaction: str) -> None:
        if self.failing:
            self.failing = False
            half = transaction.partition("COMMIT\n")[0] + "COMMIT\n"
            await super().restore(half)
            raise FilterError("line 7 failed")
        await super().restore(transaction)


async def test_after_a_failure_the_kernel_is_asked() -> None:
    fake = FailingTool()
    backend = IptablesFilter(fake)
    with pytest.raises(FilterError):
        await backend.apply(world())
    await backend.apply(world())
    whole = FakeIptables()
    await IptablesFilter(whole).apply(world())
    assert fake.print("nat") == whole.print("nat")
    assert fake.print("filter") == whole.print("filter")


@pytest.mark.parametrize(
    ("transaction", "why"),
    [
        ("*nat\n:HOLDFAST-A - [0:0]\n-A HOLDFAST-A -j HOLDFAST-B\nCOMMIT\n", "not there"),
        ("*nat\n-A HOLDFAST-A -j RETURN\nCOMMIT\n", "no chain"),
        (
            "*nat\n:HOLDFAST-A - [0:0]\n-A HOLDFAST-A -j RETURN\n-X HOLDFAST-A\nCOMMIT\n",
            "not empty",
        ),
        (
            "*nat\n:HOLDFAST-A - [0:0]\n-I OUTPUT -j HOLDFAST-A\n-X HOLDFAST-A\nCOMMIT\n",
            "used by OUTPUT",
        ),
        (
            "*nat\n:HOLDFAST-A - [0:0]\n-A HOLDFAST-A -j HOLDFAST-A\n"
            "-I OUTPUT -j HOLDFAST-A\nCOMMIT\n",
            "circle",
        ),
        ("*nat\n-I PREROUTING -j MASQUERADE --random-fully\nCOMMIT\n", "reached from PREROUTING"),
        (f"*nat\n:HOLDFAST-{'A' * 20} - [0:0]\nCOMMIT\n", "longer"),
        ("*nat\n-D OUTPUT -j RETURN\nCOMMIT\n", "failed"),
        ("*nat\n", "COMMIT expected"),
        ("*mangle\nCOMMIT\n", "mangle"),
    ],
)
async def test_the_fake_is_strict(transaction: str, why: str) -> None:
    fake = FakeIptables()
    before = fake.print("nat")
    with pytest.raises(FilterError, match=why):
        await fake.restore(transaction)
    assert fake.print("nat") == before
