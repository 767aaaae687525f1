"""Which pod a person means: `web-1`, `pod/web-1`, `deployment/web` or `service/web`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.api import selectors
from holdfast.api.errors import ApiError, Reason
from holdfast.api.objects import readiness
from holdfast.cli.input import naming

if TYPE_CHECKING:
    from holdfast.api.client import Client

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


async def chosen(client: Client, word: str, namespace: str) -> Any:
    """The one pod meant; of several behind a Deployment or Service a ready one, by name.

    Raises ApiError when there is none.
    """
    if "/" not in word:
        return await client.get("pods", word, namespace)
    kind, name = naming.one((word,))
    if kind.resource == "pods":
        return await client.get("pods", name, namespace)
    found = await of_owner(client, kind.resource, name, namespace)
    if not found:
        raise ApiError(Reason.NOT_FOUND, f"{word} has no pods")
    return min(found, key=lambda pod: (not readiness.pod_ready(pod), pod.metadata.name))


async def of_owner(client: Client, resource: str, name: str, namespace: str) -> list[Any]:
    """The pods that a Deployment, ReplicaSet or Service selects."""
    owner = await client.get(resource, name, namespace)
    if resource == "services":
        labels = ",".join(f"{key}={value}" for key, value in sorted(owner.spec.selector.items()))
        if not labels:
            raise ApiError(Reason.BAD_REQUEST, f'service "{name}" selects no pods')
        return (await client.list("pods", namespace, labels=labels)).objects
    if not hasattr(owner.spec, "selector"):
        raise ApiError(Reason.BAD_REQUEST, f"{resource} have no pods of their own")
    wanted = selectors.from_message(owner.spec.selector)
    listed = await client.list("pods", namespace)
    return [pod for pod in listed.objects if wanted.matches(pod.metadata.labels)]


def container(pod: Any, asked: str) -> str:
    """The container meant: the one asked for, the default one, or the first.

    Raises ApiError naming the containers there are.
    """
    names = [c.name for c in (*pod.spec.containers, *pod.spec.initContainers)]
    wanted = asked or pod.metadata.annotations.get(DEFAULT_CONTAINER, "") or names[0]
    if wanted not in names:
        message = f'container "{wanted}" is not in pod "{pod.metadata.name}": it has '
        raise ApiError(Reason.NOT_FOUND, message + ", ".join(names))
    return wanted
