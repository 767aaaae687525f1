"""What a label's key and value may be.

Source: Kubernetes' IsQualifiedName and IsValidLabelValue (apimachinery's pkg/util/validation).
Pure module.
"""

from __future__ import annotations

import re
from functools import lru_cache

CACHED = 8192  # distinct keys and values remembered
NAME_MAX = 63
PREFIX_MAX = 253

_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?", re.ASCII)
_PREFIX = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_CHARACTERS = "letters, digits, '-', '_' or '.', and start and end with a letter or digit"


@lru_cache(maxsize=CACHED)
def key_fault(key: str) -> str:
    """Why `key` is no label key, "" when it is one: [prefix/]name, like example.com/tier."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return "a label key has at most one '/', between prefix and name"
    if slash and (len(prefix) > PREFIX_MAX or not _PREFIX.fullmatch(prefix)):
        return (
            f"the prefix of a label key must be a lowercase DNS name of at most {PREFIX_MAX}"
            " characters, like example.com"
        )
    if not name:
        return "the name of a label key must not be empty"
    if len(name) > NAME_MAX:
        return f"the name of a label key must be no more than {NAME_MAX} characters"
    if not _NAME.fullmatch(name):
        return f"the name of a label key must consist of {_CHARACTERS}"
    return ""


@lru_cache(maxsize=CACHED)
def value_fault(value: str) -> str:
    """Why `value` is no label value, "" when it is one; the empty text is one."""
    if len(value) > NAME_MAX:
        return f"a label value must be no more than {NAME_MAX} characters"
    if value and not _NAME.fullmatch(value):
        return f"a label value must consist of {_CHARACTERS}"
    return ""
