"""The hash of a pod template: what names a Deployment's replica sets. Pure module.

Equal templates must have equal hashes after any restart and in any process, so it is taken from
the deterministic bytes of the normal form (`codec.normalize`), never from Python's own hash.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core

HASH_LABEL = "pod-template-hash"
LENGTH = 10
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: no words, valid in names and labels


def hash(template: core.PodTemplateSpec, collision_count: int = 0) -> str:  # noqa: A001
    """Ten characters that stand for a normalised template.

    collision_count: the Deployment's status.collisionCount, which gives another hash when a
    foreign replica set already has the name. Do not put HASH_LABEL into the template first.
    """
    digest = hashlib.sha256(template.SerializeToString(deterministic=True))
    if collision_count:
        digest.update(b"#%d" % collision_count)
    number = int.from_bytes(digest.digest()[:8])
    letters = []
    for _ in range(LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return "".join(letters)
