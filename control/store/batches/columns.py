"""The writes of a commit, each of their fields for all of them: as bytes, and as decoded.

`records` puts the bytes into log entries. A column of a hundred fields is packed, cut and joined
by one call each, where a write at a time would take a dozen calls a write. The form (integers
little-endian): expects i64 …, bytes of values i32 … (-1 = delete), bytes of names u16 …; then
runs of writes with one resource and namespace: their number u32, each run: writes u32, bytes of
resource u16, of namespace u16, both; then all names, then all values. Pure module.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, groupby, pairwise, repeat
from typing import Any, TypeVar, overload

from holdfast.control.store import commands
from holdfast.control.store.commands import WRITE_BYTES, Key, Write, new_tuple

Piece = TypeVar("Piece", str, bytes)

_RUNS = struct.Struct("<I")
_RUN = struct.Struct("<IHH")  # writes, bytes of resource, of namespace
_NUMBERS_BYTES = 8 + 4 + 2
FEWEST = 8
"""Writes from which on columns are faster than one write behind the other."""
FORMS_KEPT = 512
"""More than the sizes that parts of batches have."""


@lru_cache(FORMS_KEPT)
def _numbers(count: int) -> struct.Struct:
    """The columns of numbers of so many writes."""
    return struct.Struct(f"<{count}q{count}i{count}H")


class Columns(Sequence[Write]):
    """Writes, field by field; each of them is made when somebody asks for it."""

    __slots__ = ("expects", "keys", "values")

    def __init__(
        self, keys: Sequence[Key], values: Sequence[bytes | None], expects: Sequence[int]
    ) -> None:
        self.keys, self.values, self.expects = keys, values, expects

    @classmethod
    def of(cls, writes: Sequence[Write]) -> Columns:
        """Writes, at least one."""
        return writes if isinstance(writes, cls) else cls(*zip(*writes, strict=True))

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Write]:
        fields = zip(self.keys, self.values, self.expects, strict=True)
        return iter(map(new_tuple, repeat(Write), fields))

    @overload
    def __getitem__(self, at: int) -> Write: ...

    @overload
    def __getitem__(self, at: slice) -> Columns: ...

    def __getitem__(self, at: int | slice) -> Write | Columns:
        fields: Any = self.keys[at], self.values[at], self.expects[at]
        return Columns(*fields) if isinstance(at, slice) else Write(*fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list


def size(writes: Sequence[Write]) -> int:
    """What `commands.size` says of all of them."""
    if not isinstance(writes, Columns):
        return sum(map(commands.size, writes))
    return WRITE_BYTES * len(writes) + sum(map(len, filter(None, writes.values)))


def encode(parts: list[bytes], writes: Sequence[Write]) -> None:
    """Add the bytes of writes to parts. Raises struct.error for a name that is too long."""
    if not writes:
        return
    columns = Columns.of(writes)
    resources, namespaces, names = zip(*columns.keys, strict=True)
    text = "".join(names)
    named = text.encode()
    measured = names if len(named) == len(text) else [name.encode() for name in names]
    values = columns.values
    lengths = [-1 if value is None else len(value) for value in values]
    form = _numbers(len(writes))
    parts.append(form.pack(*columns.expects, *lengths, *map(len, measured)))
    _encode_runs(parts, resources, namespaces)
    parts.append(named)
    parts += filter(None, values)


def _encode_runs(parts: list[bytes], resources: Sequence[str], namespaces: Sequence[str]) -> None:
    first, count = (resources[0], namespaces[0]), len(resources)
    runs = [(first, count)]
    if resources.count(first[0]) < count or namespaces.count(first[1]) < count:
        places = zip(resources, namespaces, strict=True)
        runs = [(place, len(list(run))) for place, run in groupby(places)]
    parts.append(_RUNS.pack(len(runs)))
    for (resource, namespace), writes in runs:
        one, two = resource.encode(), namespace.encode()
        parts += (_RUN.pack(writes, len(one), len(two)), one, two)


def decode(raw: bytes, at: int, count: int) -> tuple[Sequence[Write], int]:
    """So many writes that begin at a place, and where they end. Raises struct.error or
    UnicodeDecodeError."""
    if not count:
        return [], at
    if count * _NUMBERS_BYTES > len(raw) - at:
        raise struct.error("past the end")
    form = _numbers(count)
    numbers = form.unpack_from(raw, at)
    expects, lengths = numbers[:count], numbers[count : 2 * count]
    places, at = _decode_places(raw, at + form.size, count)
    names, at = _decode_names(raw, at, numbers[2 * count :])
    values, at = _decode_values(raw, at, lengths)
    keys = list(map(new_tuple, repeat(Key), zip(*places, names, strict=True)))
    return Columns(keys, values, expects), at


def _decode_places(raw: bytes, at: int, count: int) -> tuple[tuple[list[str], list[str]], int]:
    """The resources and the namespaces of so many writes."""
    (runs,) = _RUNS.unpack_from(raw, at)
    at += _RUNS.size
    resources: list[str] = []
    namespaces: list[str] = []
    for _ in range(runs):
        writes, one, two = _RUN.unpack_from(raw, at)
        at += _RUN.size
        if writes > count - len(resources):
            raise struct.error("more places than writes")
        resources += [raw[at : at + one].decode()] * writes
        namespaces += [raw[at + one : at + one + two].decode()] * writes
        at += one + two
    if len(resources) != count:
        raise struct.error("fewer places than writes")
    return (resources, namespaces), at


def _decode_names(raw: bytes, at: int, lengths: Sequence[int]) -> tuple[list[str], int]:
    end = at + sum(lengths)
    named = raw[at:end]
    text = named.decode()
    if len(text) == len(named):
        return _cut(text, lengths), end
    return [name.decode() for name in _cut(named, lengths)], end


def _decode_values(
    raw: bytes, at: int, lengths: Sequence[int]
) -> tuple[Sequence[bytes | None], int]:
    if min(lengths) >= 0:
        found = _cut(raw, lengths, at)
        end = at + sum(lengths)
        if end > len(raw):
            raise struct.error("past the end")
        return found, end
    values: list[bytes | None] = []
    for length in lengths:
        values.append(None if length == -1 else raw[at : at + length])
        at += max(length, 0)
    if at > len(raw) or min(lengths) < -1:
        raise struct.error("past the end")
    return values, at


def _cut(whole: Piece, lengths: Sequence[int], at: int = 0) -> list[Piece]:
    """The pieces of these lengths, one behind the other."""
    ends = list(accumulate(lengths, initial=at))
    return [whole[start:end] for start, end in pairwise(ends)]
