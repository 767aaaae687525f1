"""Stored bytes on their way out: the revision, which they never hold, added to them.

Pure module.
"""

from __future__ import annotations


def with_revision(data: bytes, revision: int) -> bytes:
    """The object's bytes with metadata.resourceVersion = revision.

    metadata is field 1 of every object and resourceVersion field 6 of it; protobuf merges a
    second occurrence of a message field into the first, so a few bytes at the end are enough.
    """
    text = b"%d" % revision
    return b"".join((data, b"\x0a", bytes((len(text) + 2, 0x32, len(text))), text))
