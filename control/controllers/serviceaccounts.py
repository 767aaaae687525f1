"""The ServiceAccount controller: every namespace has an account named "default", also after
somebody deleted it. Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.control.controllers.decisions import NOTHING, Decision, Key, Order, Trigger, View
from holdfast.control.registry.intents import Intent, Verb

if TYPE_CHECKING:
    from holdfast.control.cache import Update

RESOURCE = "serviceaccounts"
DEFAULT = "default"


class ServiceAccounts:
    """The controller. A key's name is a namespace."""

    name = "service-account-controller"
    interval_s = 0.0

    def __init__(self) -> None:
        self.triggers: Mapping[str, Trigger] = {
            "namespaces": _namespace_changed,
            RESOURCE: _account_gone,
        }

    def reconcile(self, view: View, key: Key, now: float) -> Decision:  # noqa: ARG002
        """Create the account that is missing."""
        namespace = view.get("namespaces", "", key.name)
        if namespace is None or namespace.message.metadata.HasField("deletionTimestamp"):
            return NOTHING
        if view.get(RESOURCE, key.name, DEFAULT) is not None:
            return NOTHING
        account = core.ServiceAccount()
        account.metadata.name = DEFAULT
        account.metadata.namespace = key.name
        return Decision([Order(Intent(Verb.CREATE, RESOURCE, key.name, DEFAULT, account))])


def _namespace_changed(_view: View, update: Update) -> Iterable[Key]:
    return (Key("", update.new.key.name),) if update.new else ()


def _account_gone(_view: View, update: Update) -> Iterable[Key]:
    if update.new is None and update.old is not None and update.old.key.name == DEFAULT:
        return (Key("", update.old.key.namespace),)
    return ()
