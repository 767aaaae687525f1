"""What the registry is asked to do and what it answers: plain data.

The gRPC services, the controllers, the scheduler and the sessions all write through these; none
of them talks to the store. Pure module.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from holdfast.control.cache import Entry


class Verb(StrEnum):
    """What to do with the object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Propagation(StrEnum):
    """What becomes of the objects that a deleted one owns.

    BACKGROUND: it goes at once, they follow. FOREGROUND: they go first. ORPHAN: they stay.
    """

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


class Intent(NamedTuple):
    """One write wanted.

    namespace, name: where; for CREATE both may be empty and are then taken from the message
    (which may carry generateName instead of a name).
    message: the object (CREATE, UPDATE). The registry copies it and never changes it, unless sole.
    subresource: UPDATE only. "status" takes only `.status` of the message, "scale" takes an
    autoscaling/v1 Scale, "binding" takes `.spec.nodeName` of a Pod, "finalize" takes
    `.spec.finalizers` of a Namespace.
    expect_revision: the revision the object must have; None takes the message's
    metadata.resourceVersion, and when that is empty too, whatever is there.
    uid: the object must be this incarnation; "" = any.
    propagation, grace_period_s: DELETE only. None = the object's own grace period.
    sole: the message was read for this intent alone and is in normal form, so the registry may
    make what it stores out of it.
    """

    verb: Verb
    resource: str
    namespace: str
    name: str
    message: Any = None
    subresource: str = ""
    expect_revision: int | None = None
    uid: str = ""
    propagation: Propagation = Propagation.BACKGROUND
    grace_period_s: int | None = None
    sole: bool = False


class Done(NamedTuple):
    """A write that happened, or that had nothing to change.

    entry: the object as written; for a DELETE its last state. revision: the change's own; for an
    unchanged object the one it has; 0 in a dry run of a create.
    """

    entry: Entry | None
    revision: int
