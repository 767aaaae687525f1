"""`apply --prune`: delete what was applied before and is in the files no more.

Only in the namespaces that the files touch, and only objects that carry apply's annotation, so
that nothing that a controller or another command made is ever in question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.api import kinds
from holdfast.cli.input import merging
from holdfast.cli.input.manifests import Manifest
from holdfast.cli.output import outcomes
from holdfast.cli.progress import Progress

if TYPE_CHECKING:
    from holdfast.api.client import Client
    from holdfast.api.kinds import Kind


@dataclass(frozen=True, slots=True)
class Scope:
    """What one `apply --prune` is about. selector: "" = every label."""

    kept: tuple[Manifest, ...]
    selector: str
    dry_run: str


async def prune(client: Client, scope: Scope, progress: Progress) -> None:
    """Delete what is in scope and not among the files."""
    kept = {(m.resource, m.namespace, m.name) for m in scope.kept}
    for kind in _kinds():
        for namespace in sorted({m.namespace for m in scope.kept if m.namespace}):
            progress.text(f"pruning {kind.plural}")
            listed = await client.list(kind.resource, namespace, labels=scope.selector)
            for message in listed.objects:
                name = message.metadata.name
                if (kind.resource, namespace, name) in kept or not _applied(message):
                    continue
                if scope.dry_run != "client":
                    server = scope.dry_run == "server"
                    await client.delete(kind.resource, name, namespace, dry_run=server)
                progress.echo(outcomes.line(kind, name, "pruned", scope.dry_run))


def _applied(message: Any) -> bool:
    return merging.LAST_APPLIED in message.metadata.annotations


def _kinds() -> list[Kind]:
    """Kinds in namespaces whose objects people apply."""
    return [
        kind
        for kind in kinds.all_kinds()
        if kind.built and kind.namespaced and {"delete", "list"} <= set(kind.verbs)
    ]
