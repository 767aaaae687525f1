"""Times and durations as Kubernetes' JSON writes them: RFC 3339 in UTC, and Go's "1h5m0s".

Times are Unix seconds (and microseconds), never datetime objects. Texts are remembered in
bounded caches, because a cluster's objects share few distinct seconds.

Pure module.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

CACHED = 4096  # distinct texts remembered in each direction
# Go's zero time, the first second of year 1: JSON writes it as null.
ZERO_S = -62135596800
_LAST_S = 253402300799  # the last second of year 9999, the last one RFC 3339 can write

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_UNITS_NS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_INT64_MAX = 2**63 - 1


@lru_cache(maxsize=CACHED)
def time_text(seconds: int) -> str:
    """Unix seconds as "2006-01-02T15:04:05Z"; what no four-digit year holds is held to it."""
    at = _EPOCH + timedelta(seconds=min(max(seconds, ZERO_S), _LAST_S))
    return at.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def micro_time_text(seconds: int, nanos: int) -> str:
    """Unix seconds and nanoseconds as "2006-01-02T15:04:05.000000Z"."""
    return f"{time_text(seconds)[:-1]}.{nanos // 1000 % 1_000_000:06d}Z"


@lru_cache(maxsize=CACHED)
def parse_time(text: str) -> tuple[int, int]:
    """Unix seconds and nanoseconds of an RFC 3339 time with any offset.

    Raises ValueError with a sentence for the person who wrote it.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a time like 2006-01-02T15:04:05Z')
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, hours, minutes = match.groups()[6:]
    try:
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        zone = timezone(-offset if sign == "-" else offset)
        at = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError as error:
        raise ValueError(f'"{text}" is not a time: {error}') from None
    return (at - _EPOCH) // timedelta(seconds=1), int((fraction or "0").ljust(9, "0"))


def duration_text(nanoseconds: int) -> str:
    """A duration as Go prints it: "1h5m0s", "1.5s", "100ms", "0s"."""
    if nanoseconds < 0:
        return "-" + duration_text(-nanoseconds)
    if nanoseconds < 10**9:
        if not nanoseconds:
            return "0s"
        unit = next(unit for unit in ("ms", "µs", "ns") if nanoseconds >= _UNITS_NS[unit])
        return _decimal(nanoseconds, _UNITS_NS[unit]) + unit
    minutes, rest = divmod(nanoseconds, _UNITS_NS["m"])
    hours, minutes = divmod(minutes, 60)
    text = _decimal(rest, 10**9) + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def parse_duration(text: str) -> int:
    """Nanoseconds of a duration as Go reads it: "1h30m", "-1.5s", "0".

    Raises ValueError with a sentence for the person who wrote it.
    """
    body = text[1:] if text[:1] in ("+", "-") else text
    parts = _DURATION.findall(body)
    if body != "0" and (not parts or "".join(map("".join, parts)) != body):
        raise ValueError(f'"{text}" is not a duration like 1h30m or 10s')
    total = 0
    for number, unit in parts:
        whole, _, fraction = number.partition(".")
        scale = 10 ** len(fraction)
        total += int((whole or "0") + fraction) * _UNITS_NS[unit] // scale
    if total > _INT64_MAX:
        raise ValueError(f'"{text}" is too long a duration')
    return -total if text[:1] == "-" else total


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    digits = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0") if unit > 1 else ""
    return f"{whole}.{digits}" if digits else str(whole)
