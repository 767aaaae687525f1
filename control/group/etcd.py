"""One control node among those of an etcd: how it comes to them, and who they are.

There is no group to join and nothing to vote on: whoever has the authority and reaches the etcd is
a control node of the cluster, and takes the lead when nobody else does. `arrive` runs before the
parts are built; `EtcdStore` is built and used like `own.OwnStore`, and is what leader, roster and
services ask for instead of Raft's group.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

from holdfast.api.errors import ApiError, Reason
from holdfast.control.access.ca import CERTIFICATE, Authority
from holdfast.control.access.listeners import ServerCertificate
from holdfast.control.cache import Cache
from holdfast.control.config import NAME, ControlConfig
from holdfast.control.group import joining, marker
from holdfast.control.group.marker import Marker
from holdfast.control.store import directory
from holdfast.control.store.engine import StoreError
from holdfast.control.store.etcd.controls import ControlsError, look
from holdfast.control.store.etcd.engine import EtcdEngine
from holdfast.control.store.etcd.stored.values import Control
from holdfast.control.store.etcd.target import parse
from holdfast.control.store.replicated.members import Member, MemberRole, Standing

UNKNOWN = -1.0
"""How much of the state a control node has, nobody keeps book of."""


async def arrive(config: ControlConfig, randomness: Callable[[int], int]) -> Marker:
    """Which control node of which cluster this one is; a new one joins, or founds a cluster.

    Nothing is made where another cluster is, and nothing is noted yet: another process may use the
    directory. Raises StoreError, ApiError, TargetError.
    """
    target = parse(config.store)
    data_dir = config.data_dir
    was = marker.on_etcd(data_dir)
    name = config.name or (was.name if was else "") or NAME
    if was is None and config.join:
        done = await joining.join(config, randomness)
        return Marker(done.cluster_id, done.member, name)
    joining.check_not_half_way(data_dir)
    if not (data_dir / CERTIFICATE).exists():
        held = await look(target)
        if held.cluster_id:
            raise StoreError(
                f"{target} holds cluster {held.cluster_id} below /{target.prefix}: join it with "
                "--join TOKEN@HOST (`holdfast member add` makes a token), or choose another prefix"
            )
    if was and was.member and was.name == name:
        return was
    # Of another name, it is a copy of another one's directory.
    cluster_id = was.cluster_id if was else ""
    return Marker(cluster_id, joining.draw_member(randomness), name)


class View(NamedTuple):
    """How this control node stands; see raft.shell.seams.View. leader: an id, 0 = not known."""

    term: int
    leader: int
    leads: bool


class EtcdStore:
    """The store of one control node, and all control nodes of that etcd as services and leader
    ask for them. mine: this one as the others know it."""

    replicates = False

    def __init__(
        self, config: ControlConfig, arrived: Marker, authority: Authority, new_cluster_id: str
    ) -> None:
        """new_cluster_id: for a cluster that is founded."""
        self.engine = EtcdEngine(
            parse(config.store),
            new_cluster_id="" if arrived.cluster_id else new_cluster_id,
            cluster_id=arrived.cluster_id,
            name=arrived.name,
            endpoints=config.endpoints,
        )
        self.mine = Member(arrived.member, arrived.name, "", config.endpoints)
        self.group = self
        self._data_dir = config.data_dir
        self._arrived = arrived
        self._watches: list[Callable[[View], None]] = []
        self._rows_watches: list[Callable[[list[Any]], None]] = []
        self._lock = -1
        self.engine.introduce(arrived.member, hashlib.sha256(authority.pem).hexdigest())
        self.engine.watch(lambda _: self._turned())
        self.engine.on_turn(self._turned)

    async def start(self) -> None:
        """Open the store. Raises StoreError; when another process uses the directory, too."""
        self._lock = directory.claim(self._data_dir)
        try:
            # Before others hear of it: its id must outlive a crash.
            self._note(self._arrived)
            await self.engine.start()
            self._note(self._arrived._replace(cluster_id=self.engine.status().cluster_id))
        except BaseException:
            await self.engine.stop()
            directory.release(self._lock)
            raise

    def _note(self, found: Marker) -> None:
        if marker.read(self._data_dir) != found:
            marker.write(self._data_dir, found)

    async def stop(self) -> None:
        """Close the store: another control node leads at once, if this one did."""
        await self.engine.stop()
        directory.release(self._lock)

    @property
    def member(self) -> int:
        """See members.Group."""
        return self.mine.id

    @property
    def view(self) -> View:
        """How this control node stands now."""
        status = self.engine.status()
        if status.leader:
            return View(status.term, self.member, leads=True)
        leader = self.engine.leader
        known = self.engine.controls.known if leader else ()
        number = next((one.id for one in known if leader and one.name == leader.name), 0)
        return View(status.term, number, leads=False)

    def watch(self, watch: Callable[[View], None]) -> None:
        """Have a callback told of every change of leadership. Must not await or raise."""
        self._watches.append(watch)

    def rows(self, _cache: Cache) -> EtcdStore:
        """What tells that the list changed."""
        return self

    async def listen(self, _certificate: ServerCertificate) -> None:
        """Nobody calls: they meet in etcd."""

    async def hand_over(self) -> None:
        """`stop` gives the lead back."""

    def subscribe(
        self, _resource: str, callback: Callable[[list[Any]], None]
    ) -> Callable[[], None]:
        """See Cache.subscribe: the control nodes, who are no rows here. They change rarely, so the
        callback is told of changes of leadership, too."""
        self._rows_watches.append(callback)
        return lambda: self._rows_watches.remove(callback)

    def _turned(self) -> None:
        for watch in tuple(self._watches):
            watch(self.view)
        for callback in tuple(self._rows_watches):
            callback([])

    def members(self) -> list[Standing]:
        """All of them, by id. Each may lead, so each is called a voter."""
        leader = self.view.leader
        known = sorted(self.engine.controls.known, key=lambda one: one.id)
        return [
            Standing(
                Member(one.id, one.name, "", one.endpoints),
                MemberRole.VOTER,
                one.id == leader,
                UNKNOWN,
            )
            for one in known
        ]

    async def announce(self, member: Member) -> None:
        """Every control node has put itself on the list."""

    async def add_member(self, member: Member) -> None:
        """Put one on the list that joins. Raises ApiError, StoreError."""
        if member.peer:
            raise _refused(
                "the state of this cluster is on an etcd: start the new control node with --store "
                "etcd://…, like the others"
            )
        try:
            await self.engine.add_control(Control(member.id, member.name, member.endpoints))
        except ControlsError as error:
            raise _refused(str(error)) from None

    async def promote_member(self, member: int) -> None:
        """Refused: nobody votes."""
        raise StoreError(
            f'on an etcd every control node may lead, "{self._name(member)}" too: there is nobody '
            "to promote"
        )

    async def remove_member(self, member: int) -> None:
        """Take one from the list that is gone for good. Raises StoreError."""
        if member == self.member:
            raise StoreError(
                f'control node "{self.mine.name}" leads: stop it first, then remove it'
            )
        await self.engine.remove_control(member)

    async def transfer(self, member: int) -> None:
        """Refused: the next one who asks etcd leads."""
        raise StoreError(
            f'on an etcd leadership cannot be handed to "{self._name(member)}": stop the control '
            "node that leads, and another one leads at once"
        )

    def _name(self, member: int) -> str:
        found = (one.name for one in self.engine.controls.known if one.id == member)
        return next(found, f"{member:x}")


def _refused(message: str) -> ApiError:
    return ApiError(Reason.CONFLICT, message)
