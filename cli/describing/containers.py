"""Containers as `describe pod` shows them: state, resources, probes, environment, mounts.

Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from holdfast.api.objects import intorstring
from holdfast.cli.describing import parts
from holdfast.cli.describing.layout import Block, Fields, block


def fields(containers: Iterable[Any], statuses: Iterable[Any]) -> Block:
    """Containers with what became of each. statuses: of a pod; none for a template."""
    by_name = {status.name: status for status in statuses}
    return block((c.name, Block(_container(c, by_name.get(c.name)))) for c in containers)


def _container(container: Any, status: Any) -> Fields:
    found: Fields = []
    if status is not None:
        found.append(("Container ID", status.containerID))
    found.append(("Image", container.image))
    if status is not None:
        found.append(("Image ID", status.imageID))
    found += _ports(container)
    for label, words in (("Command", container.command), ("Args", container.args)):
        if words:
            found.append((label, list(words)))
    if status is not None:
        found += _state("State", status.state)
        if status.lastState.ListFields():
            found += _state("Last State", status.lastState)
        found.append(("Ready", parts.flag(status.ready)))
        found.append(("Restart Count", str(status.restartCount)))
    return found + _wishes(container)


def _ports(container: Any) -> Fields:
    if not container.ports:
        return []
    ports = ", ".join(f"{p.containerPort}/{p.protocol or 'TCP'}" for p in container.ports)
    host = ", ".join(f"{p.hostPort}/{p.protocol or 'TCP'}" for p in container.ports)
    several = "s" if len(container.ports) > 1 else ""
    return [(f"Port{several}", ports), (f"Host Port{several}", host)]


def _state(label: str, state: Any) -> Fields:
    """kubectl writes the state's details below it, as fields of the container."""
    if state.HasField("running"):
        return [(label, "Running"), ("  Started", parts.time(state.running.startedAt))]
    if state.HasField("terminated"):
        ended = state.terminated
        found: Fields = [(label, "Terminated"), ("  Reason", ended.reason or "<none>")]
        if ended.message:
            found.append(("  Message", ended.message.splitlines()))
        if ended.signal:
            found.append(("  Signal", str(ended.signal)))
        return [
            *found,
            ("  Exit Code", str(ended.exitCode)),
            ("  Started", parts.time(ended.startedAt)),
            ("  Finished", parts.time(ended.finishedAt)),
        ]
    waiting: Fields = [(label, "Waiting")]
    if state.waiting.reason:
        waiting.append(("  Reason", state.waiting.reason))
    if state.waiting.message:
        waiting.append(("  Message", state.waiting.message))
    return waiting


def _wishes(container: Any) -> Fields:
    found: Fields = []
    for label, values in (
        ("Limits", container.resources.limits),
        ("Requests", container.resources.requests),
    ):
        if values:
            found.append((label, Block(parts.quantities(values))))
    for label, name in (
        ("Liveness", "livenessProbe"),
        ("Readiness", "readinessProbe"),
        ("Startup", "startupProbe"),
    ):
        if container.HasField(name):
            found.append((label, _probe(getattr(container, name))))
    if container.envFrom:
        found.append(("Environment Variables from", [_env_from(e) for e in container.envFrom]))
    found.append(("Environment", block((e.name, _env(e)) for e in container.env)))
    return [*found, ("Mounts", [_mount(mount) for mount in container.volumeMounts])]


def _probe(probe: Any) -> str:
    """kubectl's line: "http-get http://:8080/ delay=0s timeout=1s period=1s …"."""
    attributes = (
        f"delay={probe.initialDelaySeconds}s timeout={probe.timeoutSeconds}s "
        f"period={probe.periodSeconds}s #success={probe.successThreshold} "
        f"#failure={probe.failureThreshold}"
    )
    return f"{_probing(probe.handler)} {attributes}"


def _probing(handler: Any) -> str:
    if handler.HasField("exec"):
        return f"exec [{' '.join(handler.exec.command)}]"
    if handler.HasField("httpGet"):
        get = handler.httpGet
        where = f"{get.host}:{intorstring.text(get.port)}/{get.path.removeprefix('/')}"
        return f"http-get {(get.scheme or 'HTTP').lower()}://{where}"
    if handler.HasField("tcpSocket"):
        socket = handler.tcpSocket
        return f"tcp-socket {socket.host}:{intorstring.text(socket.port)}"
    return "unknown"


def _env(variable: Any) -> str:
    """Its value, or where it comes from; the value of a Secret's key is never shown."""
    source = variable.valueFrom
    if source.HasField("fieldRef"):
        return f" ({source.fieldRef.apiVersion or 'v1'}:{source.fieldRef.fieldPath})"
    if source.HasField("resourceFieldRef"):
        field = source.resourceFieldRef
        whose = field.containerName or "this container"
        return f"<{field.resource} of {whose}>"
    for name, word in (("secretKeyRef", "secret"), ("configMapKeyRef", "config map")):
        if source.HasField(name):
            key = getattr(source, name)
            whose = key.localObjectReference.name
            optional = parts.flag(key.optional).lower()
            return f"<set to the key '{key.key}' in {word} '{whose}'>  Optional: {optional}"
    return str(variable.value)


def _env_from(source: Any) -> str:
    kind = "Secret" if source.HasField("secretRef") else "ConfigMap"
    reference = source.secretRef if kind == "Secret" else source.configMapRef
    prefix = f" with prefix '{source.prefix}'" if source.prefix else ""
    optional = parts.flag(reference.optional).lower()
    return f"{reference.localObjectReference.name}  {kind}{prefix}  Optional: {optional}"


def _mount(mount: Any) -> str:
    access = "ro" if mount.readOnly else "rw"
    path = f',path="{mount.subPath}"' if mount.subPath else ""
    return f"{mount.mountPath} from {mount.name} ({access}{path})"
