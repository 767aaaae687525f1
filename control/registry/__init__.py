"""What may be written, and in what form: the one door between everybody who writes and the store.

`Registry.commit` takes intents and answers each; around it stand pure modules: `preparation` (which
way an intent goes), `creation`, `changes`, `removal`, `subresources`, `strategies` (what each kind
does differently), `addresses` (service IPs, node ports, pod ranges). Who may write is decided
before, in `access`; nothing here knows of gRPC.
"""

from holdfast.control.registry.addresses.ranges import Ranges
from holdfast.control.registry.bootstrap import bootstrap
from holdfast.control.registry.ids import Derived, Ids
from holdfast.control.registry.intents import Done, Intent, Propagation, Verb
from holdfast.control.registry.registry import Registry

__all__ = [
    "Derived",
    "Done",
    "Ids",
    "Intent",
    "Propagation",
    "Ranges",
    "Registry",
    "Verb",
    "bootstrap",
]
