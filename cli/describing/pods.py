"""The page of a pod, and the pod template that workloads share with it. Pure module."""

from __future__ import annotations

from typing import Any

from holdfast.api.kinds.columns import pods as columns
from holdfast.api.objects import conditions, requests
from holdfast.cli.describing import containers, parts
from holdfast.cli.describing.layout import Block, Fields, block, pairs
from holdfast.cli.describing.related import Related


def page(pod: Any, related: Related, now: float) -> Fields:
    """A pod: where and how it runs, its containers, and why it is not running if it is not."""
    spec, status = pod.spec, pod.status
    node = f"{spec.nodeName}/{status.hostIP}".rstrip("/")
    return [
        *parts.head(pod),
        ("Service Account", spec.serviceAccountName or "default"),
        ("Node", node or "<none>"),
        ("Start Time", parts.time(status.startTime)),
        *parts.marks(pod),
        *_status(pod),
        ("IP", status.podIP),
        ("IPs", [ip.ip for ip in status.podIPs]),
        *parts.controlled_by(pod),
        *_containers(spec, status),
        ("Conditions", parts.conditions(status.conditions)),
        ("Volumes", volumes(spec)),
        ("QoS Class", status.qosClass or requests.qos_class(pod)),
        ("Node-Selectors", pairs(spec.nodeSelector.items())),
        ("Tolerations", [_toleration(toleration) for toleration in spec.tolerations]),
        ("Events", parts.events(related.events, now)),
    ]


def template(found: Any) -> Block:
    """A pod template, as workloads show it."""
    spec = found.spec
    fields: Fields = [("Labels", pairs(found.metadata.labels.items()))]
    if found.metadata.annotations:
        fields.append(("Annotations", pairs(found.metadata.annotations.items())))
    if spec.serviceAccountName:
        fields.append(("Service Account", spec.serviceAccountName))
    fields += _containers(spec, None)
    return Block(
        [
            *fields,
            ("Volumes", volumes(spec)),
            ("Node-Selectors", pairs(spec.nodeSelector.items())),
            ("Tolerations", [_toleration(toleration) for toleration in spec.tolerations]),
        ]
    )


def volumes(spec: Any) -> Block:
    """Each volume with what it is made of."""
    return block((volume.name, Block(_volume(volume.volumeSource))) for volume in spec.volumes)


def _containers(spec: Any, status: Any) -> Fields:
    found: Fields = []
    if spec.initContainers:
        of_init = status.initContainerStatuses if status is not None else ()
        found.append(("Init Containers", containers.fields(spec.initContainers, of_init)))
    of_these = status.containerStatuses if status is not None else ()
    return [*found, ("Containers", containers.fields(spec.containers, of_these))]


def _status(pod: Any) -> Fields:
    """The word that `get` shows too; reason and sentence, the scheduler's for a pending pod."""
    deleted = pod.metadata.HasField("deletionTimestamp")
    found: Fields = [("Status", columns.status(pod) if deleted else pod.status.phase)]
    if deleted:
        found.append(("Termination Grace Period", f"{pod.metadata.deletionGracePeriodSeconds}s"))
    reason, message = pod.status.reason, pod.status.message
    placed = conditions.condition(pod.status.conditions, "PodScheduled")
    if not message and placed is not None and placed.status == "False":
        reason, message = placed.reason, placed.message
    if reason:
        found.append(("Reason", reason))
    if message:
        found.append(("Message", message))
    return found


def _volume(source: Any) -> Fields:
    if source.HasField("emptyDir"):
        return [
            ("Type", "EmptyDir (a temporary directory that shares a pod's lifetime)"),
            ("Medium", source.emptyDir.medium),
            ("SizeLimit", source.emptyDir.sizeLimit.string or "<unset>"),
        ]
    if source.HasField("hostPath"):
        return [
            ("Type", "HostPath (bare host directory volume)"),
            ("Path", source.hostPath.path),
            ("HostPathType", source.hostPath.type),
        ]
    if source.HasField("configMap"):
        return [
            ("Type", "ConfigMap (a volume populated by a ConfigMap)"),
            ("Name", source.configMap.localObjectReference.name),
            ("Optional", parts.flag(source.configMap.optional).lower()),
        ]
    if source.HasField("secret"):
        return [
            ("Type", "Secret (a volume populated by a Secret)"),
            ("SecretName", source.secret.secretName),
            ("Optional", parts.flag(source.secret.optional).lower()),
        ]
    return [("Type", ", ".join(field.name for field, _value in source.ListFields()) or "<unknown>")]


def _toleration(toleration: Any) -> str:
    """kubectl's form: "key=value:NoExecute op=Exists for 300s"."""
    text = str(toleration.key)
    if toleration.value:
        text += f"={toleration.value}"
    if toleration.effect:
        text += f":{toleration.effect}"
    if toleration.operator == "Exists":
        text += " op=Exists" if text else "op=Exists"
    if toleration.HasField("tolerationSeconds"):
        text += f" for {toleration.tolerationSeconds}s"
    return text
