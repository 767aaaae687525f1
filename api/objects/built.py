"""The fields that work, type by type; every other field of these types is refused by name.

This is the one place to edit when a field's behaviour is built: add its name to BUILT. A type
that is not listed works entirely. Fields a client must not use to write (status) are not looked
at. Pure module.

The table is compiled once per message type into acts on the fields that may be refused; only
fields that are set are visited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.api.objects import changes

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

    from holdfast.api.objects.findings import Findings

_PACKAGE = "holdfast.api."

BUILT: Mapping[str, str] = {
    "core.v1.PodSpec": """
        affinity automountServiceAccountToken containers dnsConfig enableServiceLinks hostNetwork
        hostname initContainers nodeName nodeSelector restartPolicy securityContext serviceAccount
        serviceAccountName subdomain terminationGracePeriodSeconds tolerations volumes""",
    "core.v1.Container": """
        args command env envFrom image imagePullPolicy livenessProbe name ports readinessProbe
        resources securityContext volumeMounts workingDir""",
    "core.v1.ContainerPort": "containerPort hostIP hostPort name",
    "core.v1.EnvVarSource": "configMapKeyRef fieldRef resourceFieldRef secretKeyRef",
    "core.v1.ResourceRequirements": "",
    "core.v1.Probe": """
        failureThreshold handler initialDelaySeconds periodSeconds successThreshold
        timeoutSeconds""",
    "core.v1.ProbeHandler": "exec httpGet tcpSocket",
    "core.v1.VolumeMount": "mountPath name readOnly",
    "core.v1.VolumeSource": "configMap emptyDir hostPath secret",
    "core.v1.EmptyDirVolumeSource": "",
    "core.v1.SecurityContext": """
        allowPrivilegeEscalation capabilities privileged readOnlyRootFilesystem runAsGroup
        runAsNonRoot runAsUser""",
    "core.v1.PodSecurityContext": "runAsGroup runAsNonRoot runAsUser supplementalGroups",
    "core.v1.Affinity": "nodeAffinity",
    "core.v1.ServiceSpec": """
        clusterIP clusterIPs externalName ports publishNotReadyAddresses selector""",
    "core.v1.ServicePort": "appProtocol name nodePort port targetPort",
    "core.v1.NodeSpec": "podCIDR podCIDRs providerID taints unschedulable",
    "core.v1.NamespaceSpec": "",
    "core.v1.ServiceAccount": "automountServiceAccountToken metadata secrets",
    "core.v1.Secret": "data immutable metadata stringData",
    "discovery.v1.EndpointSlice": "endpoints metadata ports",
    "discovery.v1.Endpoint": "addresses conditions hostname nodeName targetRef zone",
    "discovery.v1.EndpointPort": "appProtocol name port",
    "coordination.v1.LeaseSpec": """
        acquireTime holderIdentity leaseDurationSeconds leaseTransitions renewTime""",
}

# Fields of which some values work. For a map: the keys that work.
VALUES: Mapping[str, tuple[object, ...]] = {
    "core.v1.PodSpec.schedulerName": ("default-scheduler",),
    "core.v1.PodSpec.dnsPolicy": ("ClusterFirst", "Default", "None"),
    "core.v1.PodSpec.hostUsers": (True,),
    "core.v1.PodSpec.preemptionPolicy": ("Never",),
    "core.v1.Container.terminationMessagePath": ("/dev/termination-log",),
    "core.v1.Container.terminationMessagePolicy": ("File",),
    "core.v1.ContainerPort.protocol": ("TCP", "UDP"),
    "core.v1.ResourceRequirements.limits": ("cpu", "memory"),
    "core.v1.ResourceRequirements.requests": ("cpu", "memory", "ephemeral-storage"),
    "core.v1.VolumeMount.mountPropagation": ("None",),
    "core.v1.VolumeMount.recursiveReadOnly": ("Disabled",),
    "core.v1.EmptyDirVolumeSource.medium": ("Memory",),
    "core.v1.SecurityContext.procMount": ("Default",),
    "core.v1.ServiceSpec.type": ("ClusterIP", "NodePort", "ExternalName"),
    "core.v1.ServiceSpec.sessionAffinity": ("None",),
    "core.v1.ServiceSpec.externalTrafficPolicy": ("Cluster",),
    "core.v1.ServiceSpec.internalTrafficPolicy": ("Cluster",),
    "core.v1.ServiceSpec.ipFamilyPolicy": ("SingleStack", "PreferDualStack"),
    "core.v1.ServiceSpec.ipFamilies": ("IPv4",),
    "core.v1.ServicePort.protocol": ("TCP", "UDP"),
    "core.v1.NamespaceSpec.finalizers": ("kubernetes",),
    "discovery.v1.EndpointSlice.addressType": ("IPv4",),
    "discovery.v1.EndpointPort.protocol": ("TCP", "UDP"),
}

# Fields of any value but these: something would have to act on them.
REFUSED_VALUES: Mapping[str, tuple[object, ...]] = {
    "core.v1.Secret.type": (
        "kubernetes.io/service-account-token",
        "bootstrap.kubernetes.io/token",
    ),
}

_NOT_READ = ("status",)
_NAMED_MAX = 12  # measured: asking for a field costs about as much as listing one that is set
_NO_EFFECT = "not built yet: it would have no effect; remove it"

_Trail = tuple["_Trail", str, object] | None
"""Where we are: the trail of the parent, the field's step ("" when inline), the index or key in it
(None: no list). Made into a path only when something is refused."""
_Act = Callable[[Any, _Trail, "Findings"], None]


class _Rules(NamedTuple):
    """What to do with the fields of one message type that are set.

    Where few fields matter, they are asked for by name: (name, whether it has presence, act).
    Where many do, what is set is listed and looked up by field number.
    """

    named: tuple[tuple[str, bool, _Act], ...] = ()
    numbered: Mapping[int, _Act] = MappingProxyType({})


def check(message: Any, found: Findings) -> None:
    """Name every field of an object that is set and not built."""
    rules = _rules(message.DESCRIPTOR)
    if rules is not None:
        _walk(message, rules, None, found)


def _walk(message: Any, rules: _Rules, trail: _Trail, found: Findings) -> None:
    for name, presence, act in rules.named:
        if not presence or message.HasField(name):
            act(getattr(message, name), trail, found)
    if rules.numbered:
        for field, value in message.ListFields():
            found_act = rules.numbered.get(field.number)
            if found_act is not None:
                found_act(value, trail, found)


def _path(trail: _Trail) -> str:
    if trail is None:
        return ""
    parent, step, index = trail
    path = _path(parent)
    path = f"{path}.{step}" if path and step else path or step
    return path if index is None else f"{path}[{index}]"


@cache
def _rules(descriptor: Descriptor) -> _Rules | None:
    """The rules of one message type, None when everything in it works."""
    short = descriptor.full_name.removeprefix(_PACKAGE)
    listed = BUILT.get(short)
    built = None if listed is None else frozenset(listed.split())
    root = "metadata" in descriptor.fields_by_name
    acts: list[tuple[FieldDescriptor, _Act]] = []
    for field in descriptor.fields:
        if root and field.name in _NOT_READ:
            continue
        act = _act(field, f"{short}.{field.name}", works=built is None or field.name in built)
        if act is not None:
            acts.append((field, act))
    if not acts:
        return None
    if len(acts) > _NAMED_MAX:
        return _Rules(numbered={field.number: act for field, act in acts})
    return _Rules(tuple((field.name, field.has_presence, act) for field, act in acts))


def _act(field: FieldDescriptor, key: str, *, works: bool) -> _Act | None:
    step = changes.json_name(field)
    if key in VALUES:
        return _some_values(field, step, VALUES[key])
    if key in REFUSED_VALUES:
        return _other_values(step, REFUSED_VALUES[key])
    if not works:
        return _absent(field, step)
    if field.message_type is None or changes.is_map(field):
        return None
    rules = _rules(field.message_type)
    if rules is None:
        return None
    return _inside_items(step, rules) if field.is_repeated else _inside(step, rules)


def _inside(step: str, rules: _Rules) -> _Act:
    def act(value: Any, trail: _Trail, found: Findings) -> None:
        _walk(value, rules, (trail, step, None), found)

    return act


def _inside_items(step: str, rules: _Rules) -> _Act:
    def act(items: Any, trail: _Trail, found: Findings) -> None:
        for index, item in enumerate(items):
            _walk(item, rules, (trail, step, index), found)

    def act_on_one(items: Any, trail: _Trail, found: Findings) -> None:
        # The same without a call for each of many items that lack the one field (env: valueFrom).
        for index, item in enumerate(items):
            if item.HasField(name):
                inner(getattr(item, name), (trail, step, index), found)

    if len(rules.named) == 1 and rules.named[0][1]:
        name, _, inner = rules.named[0]
        return act_on_one
    return act


def _absent(field: FieldDescriptor, step: str) -> _Act:
    """Nothing may stand there; a scalar's 0, false or "" is the same as nothing."""
    is_message = field.message_type is not None and not field.is_repeated

    def act(value: Any, trail: _Trail, found: Findings) -> None:
        if value or is_message:
            found.not_built(_path((trail, step, None)), _NO_EFFECT)

    return act


def _some_values(field: FieldDescriptor, step: str, works: tuple[object, ...]) -> _Act:
    """Only these values, items or keys work."""
    repeated, keyed = field.is_repeated, changes.is_map(field)
    rest = "built: " + ", ".join(map(str, works))

    def act(value: Any, trail: _Trail, found: Findings) -> None:
        for index, item in enumerate(value if repeated else (value,)):
            if item not in works and item != "":
                place = (item if keyed else index) if repeated else None
                text = f'"{item}" is not built yet ({rest})'
                found.not_built(_path((trail, step, place)), text)

    return act


def _other_values(step: str, refused: tuple[object, ...]) -> _Act:
    """Any value but these works."""

    def act(value: Any, trail: _Trail, found: Findings) -> None:
        if value in refused:
            found.not_built(_path((trail, step, None)), f'"{value}" is not built yet')

    return act
