"""The seams of the driver: what writes, what applies, what sends, and what is told.

Production brings SQLite and gRPC, a simulation its own disk and network; both bring the same
driver. Pure module.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from holdfast.control.raft.messages import ConfState, Entry, HardState, Message, Snapshot
from holdfast.control.raft.ready import Role

Randomness = Callable[[int], int]
"""n → 0 … n-1."""


class LogFullError(Exception):
    """Nothing of a batch was written, for want of space; a later one may succeed."""


@dataclass(slots=True)
class Batch:
    """What one transaction makes durable. entries: consecutive, in place of all from the first
    one's index on. snapshot: takes the place of the whole log, before the entries. responses:
    may be sent once it is durable."""

    hard_state: HardState | None = None
    entries: list[Entry] = field(default_factory=list)
    snapshot: Snapshot | None = None
    responses: list[Message] = field(default_factory=list)


class LogWriter(Protocol):
    """Makes batches durable, and the core's view of the log level with them."""

    @property
    def lagging(self) -> bool:
        """Applied rows wait for a transaction to ride in."""

    async def write(self, batch: Batch) -> None:
        """Write a batch, and the rows of what was applied before it. When it returns, all of it
        is durable and `LogStorage` shows it. A snapshot is also in the state machine then.

        Raises LogFullError: nothing was written. Any other error ends the member."""


class Machine(Protocol):
    """The state machine behind the log."""

    @property
    def applied(self) -> int:
        """The index of the newest entry applied."""

    async def apply(self, entry: Entry) -> None:
        """Apply a committed entry of type NORMAL; it may let others run."""

    def configure(self, entry: Entry, conf: ConfState) -> None:
        """Apply a committed change of the configuration, which is `conf` from here on."""


class Port(Protocol):
    """A member as its transport sees it."""

    @property
    def cluster_id(self) -> str: ...

    @property
    def member(self) -> int: ...

    def admits(self, member: int) -> bool:
        """Whether this member may speak here: it was never removed, as far as is known here. Who
        is not known yet may: a member that lags must hear leaders that came after its log."""

    def receive(self, message: Message) -> None:
        """A message of a peer, whose id its `sender` must be: the transport has checked it."""

    def unreachable(self, member: int) -> None:
        """Messages to this peer were dropped."""

    def refused(self, member: int) -> None:
        """This peer's streams broke and it refuses connections."""

    def expelled(self) -> None:
        """A peer says that this member was removed from the group. Its own log may never tell: who
        is out is sent nothing more."""

    def snapshot_sent(self, member: int, done: bool) -> None:
        """How the transfer of a snapshot to this peer ended. To be told for every one."""

    def read_snapshot(self, message: Message) -> AsyncIterator[bytes]:
        """The state that a SNAP message stands for, in pieces. Raises SnapshotLostError."""

    async def take_snapshot(self, message: Message, pieces: AsyncIterator[bytes]) -> None:
        """A SNAP message with its state. Raises SnapshotLostError: it was not taken."""


class SnapshotLostError(Exception):
    """A snapshot could not be sent or taken: one sentence that says why. The leader asks again."""


class Transport(Protocol):
    """Carries messages to peers; never waits, never fails: what cannot go is dropped and the
    port told (`unreachable`)."""

    async def attach(self, port: Port) -> None:
        """Begin to carry messages of this member."""

    async def detach(self) -> None:
        """Carry nothing more."""

    def peers(self, addresses: Mapping[int, str]) -> None:
        """Who the other members are, and where, as of now; "" = not known yet."""

    def send(self, messages: Sequence[Message]) -> None:
        """Send messages, each to its `to`; those to one peer stay in order."""

    def send_snapshot(self, message: Message) -> None:
        """Send a SNAP message with the state it stands for; ends in `Port.snapshot_sent`."""


class View(NamedTuple):
    """How this member stands. leads: it is leader and has applied an entry of its own term."""

    term: int
    leader: int
    role: Role
    leads: bool


class Observer(Protocol):
    """Is told what concerns the owner of the driver. Nothing here may await or raise."""

    def turned(self, view: View) -> None:
        """Term, leader or role changed, or the first entry of the own term was applied."""

    def full(self, error: LogFullError) -> None:
        """The disk is full: what was not durable is forgotten, this member has stepped down."""

    def failed(self, error: BaseException) -> None:
        """The core met an impossible state: the process must end."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Times and limits of a driver.

    tick_s: one tick. election_ticks: silence before an election, at random up to twice as long.
    bytes_per_message, inflight_*: what is on its way to one peer. batch_bytes: one transaction
    (at least one message). inbox: received messages that wait; more are dropped.
    """

    tick_s: float = 0.02
    election_ticks: int = 25
    heartbeat_ticks: int = 5
    bytes_per_message: int = 1 << 20
    inflight_messages: int = 64
    inflight_bytes: int = 16 << 20
    applying_bytes: int = 8 << 20
    uncommitted_bytes: int = 64 << 20
    batch_bytes: int = 4 << 20
    inbox: int = 4_096
    rejoin_s: float = 0.15


@dataclass(frozen=True, slots=True)
class Setup:
    """What makes a driver this member's."""

    member: int
    randomness: Randomness
    pace: Pace = Pace()
