"""Configuration changes as they are proposed and stored in the log.

`ConfChange` (v1) is a single change; `ConfChangeV2` is any number of them, made through a joint
configuration unless it is one change and nobody asked for more (Raft dissertation 4.1-4.3). How
a change alters the configuration is `confchange`; this is only what is said.

Encoding: a version byte, then unsigned LEB128 numbers; the context is the rest. The change that
leaves a joint configuration without a context is no bytes at all, so that it costs nothing
against the limit on uncommitted data and can always be proposed.

Pure module.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple, Self

_VERSION: Final = 1
_ID_BITS_MAX: Final = 64


class ConfChangeType(IntEnum):
    """What happens to one node. The numbers are stored."""

    ADD_NODE = 0
    REMOVE_NODE = 1
    UPDATE_NODE = 2  # nothing in the configuration; the context may mean something to the user
    ADD_LEARNER_NODE = 3


class ConfChangeTransition(IntEnum):
    """Whether a joint configuration is used, and who leaves it. The numbers are stored."""

    AUTO = 0  # the simple protocol for one change, else as JOINT_IMPLICIT
    JOINT_IMPLICIT = 1  # joint, left by the leader once it is applied
    JOINT_EXPLICIT = 2  # joint, left by a proposal without changes


class ConfChangeSingle(NamedTuple):
    """One change of one node."""

    type: ConfChangeType
    node: int


class ConfChange(NamedTuple):
    """The older form: exactly one change, never joint."""

    type: ConfChangeType
    node: int
    context: bytes = b""

    def as_v2(self) -> "ConfChangeV2":
        """The same change in the general form."""
        return ConfChangeV2(changes=(ConfChangeSingle(self.type, self.node),), context=self.context)

    def encode(self) -> bytes:
        """The bytes of an entry of type CONF_CHANGE."""
        return _encode((self.type, self.node)) + self.context

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The reverse of `encode`; ValueError where `data` is nothing of the kind."""
        position = _start(data)
        kind, position = _number(data, position)
        node, position = _number(data, position)
        return cls(ConfChangeType(kind), node, data[position:])


class ConfChangeV2(NamedTuple):
    """Any number of changes, made as one. Without changes it leaves a joint configuration."""

    transition: ConfChangeTransition = ConfChangeTransition.AUTO
    changes: tuple[ConfChangeSingle, ...] = ()
    context: bytes = b""

    def as_v2(self) -> "ConfChangeV2":
        """Itself."""
        return self

    @property
    def leaves_joint(self) -> bool:
        """Whether this leaves a joint configuration; the context does not matter."""
        return not self.changes and self.transition == ConfChangeTransition.AUTO

    @property
    def enters_joint(self) -> bool:
        """Whether this goes through a joint configuration."""
        return self.transition != ConfChangeTransition.AUTO or len(self.changes) > 1

    @property
    def auto_leave(self) -> bool:
        """Whether the joint configuration, if entered, is left without a further proposal."""
        return self.transition != ConfChangeTransition.JOINT_EXPLICIT

    def encode(self) -> bytes:
        """The bytes of an entry of type CONF_CHANGE_V2; none at all for an empty change."""
        if self == ConfChangeV2():
            return b""
        numbers = [int(self.transition), len(self.changes)]
        for change in self.changes:
            numbers += (change.type, change.node)
        return _encode(numbers) + self.context

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The reverse of `encode`; ValueError where `data` is nothing of the kind."""
        if not data:
            return cls()
        transition, position = _number(data, _start(data))
        count, position = _number(data, position)
        if count > len(data):
            raise ValueError(f"a configuration change of {len(data)} bytes claims {count} changes")
        changes = []
        for _ in range(count):
            kind, position = _number(data, position)
            node, position = _number(data, position)
            changes.append(ConfChangeSingle(ConfChangeType(kind), node))
        return cls(ConfChangeTransition(transition), tuple(changes), data[position:])


def _encode(numbers: Iterable[int]) -> bytes:
    out = bytearray((_VERSION,))
    for number in numbers:
        if number < 0 or number.bit_length() > _ID_BITS_MAX:
            raise ValueError(f"{number} is no unsigned {_ID_BITS_MAX}-bit number")
        rest = int(number)
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def _start(data: bytes) -> int:
    if not data or data[0] != _VERSION:
        raise ValueError(f"a configuration change of an unknown version: {data[:1].hex() or '-'}")
    return 1


def _number(data: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while position < len(data) and shift < _ID_BITS_MAX:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80 and number.bit_length() <= _ID_BITS_MAX:
            return number, position
        shift += 7
    raise ValueError("a configuration change is cut short or damaged")
