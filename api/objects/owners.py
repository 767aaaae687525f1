"""Who owns an object: the controller among its owner references, and making one. Pure module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.api.meta.v1 import meta_pb2

if TYPE_CHECKING:
    from holdfast.api.kinds import Kind


def controller_of(item: meta_pb2.ObjectMeta) -> meta_pb2.OwnerReference | None:
    """The owner that manages the object (controller: true), None when nobody does."""
    for owner in item.ownerReferences:
        if owner.controller:
            return owner
    return None


def is_controlled_by(item: meta_pb2.ObjectMeta, uid: str) -> bool:
    """Whether the object of this uid manages it."""
    owner = controller_of(item)
    return owner is not None and owner.uid == uid


def controller_reference(kind: Kind, owner: Any) -> meta_pb2.OwnerReference:
    """The reference an owner writes into what it creates: it manages it, and a foreground
    deletion of the owner waits for it."""
    return meta_pb2.OwnerReference(
        apiVersion=kind.api_version,
        kind=kind.kind,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        controller=True,
        blockOwnerDeletion=True,
    )
