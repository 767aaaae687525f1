"""Who a caller is: the name and groups that authentication found and `decide` judges by.

Pure module. Names follow Kubernetes: a node agent is `system:node:<name>` in `system:nodes`.
"""

from __future__ import annotations

from dataclasses import dataclass

ADMINS = "system:masters"
NODES = "system:nodes"
NODE_PREFIX = "system:node:"
MEMBERS = "system:control-nodes"
MEMBER_PREFIX = "system:control-node:"


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller. name: the certificate's CN or the token's subject; groups: its O values."""

    name: str
    groups: tuple[str, ...] = ()

    @property
    def node(self) -> str:
        """The node this caller is, "" when it is none."""
        if NODES in self.groups and self.name.startswith(NODE_PREFIX):
            return self.name.removeprefix(NODE_PREFIX)
        return ""


def of_member(member: int) -> Identity:
    """The identity with which a control node calls its peers: its id in the group."""
    return Identity(f"{MEMBER_PREFIX}{member:x}", (MEMBERS,))


def of_node(node: str) -> Identity:
    """The identity of a node's agents."""
    return Identity(NODE_PREFIX + node, (NODES,))


def of_controller(controller: str) -> Identity:
    """The identity of a controller inside the control node: `system:controller:<name>`."""
    return Identity(f"system:controller:{controller}", (ADMINS,))
