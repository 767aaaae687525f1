"""Deployments and replica sets: defaults and rules (pkg/apis/apps/v1/defaults.go, validation).

Pure module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.api import selectors
from holdfast.api.objects import intorstring, labels, metadata
from holdfast.api.objects.findings import IMMUTABLE
from holdfast.api.objects.pods import defaults
from holdfast.api.objects.pods import spec as pod_spec

if TYPE_CHECKING:
    from holdfast.api.apps.v1 import apps_pb2 as apps
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.api.meta.v1 import meta_pb2 as meta
    from holdfast.api.objects.findings import Findings

SHARE = "25%"
HISTORY = 10
PROGRESS_DEADLINE_S = 600
STRATEGIES = ("Recreate", "RollingUpdate")

_PERCENT_RULE = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '10%')"
)


def default_deployment(deployment: apps.Deployment) -> None:
    """One replica, rolling by a quarter, ten old revisions, ten minutes to make progress."""
    spec = deployment.spec
    _default_replicas(spec)
    if not spec.strategy.type:
        spec.strategy.type = "RollingUpdate"
    if spec.strategy.type == "RollingUpdate":
        rolling = spec.strategy.rollingUpdate
        for field in ("maxUnavailable", "maxSurge"):
            if not rolling.HasField(field):
                intorstring.set_text(getattr(rolling, field), SHARE)
    if not spec.HasField("revisionHistoryLimit"):
        spec.revisionHistoryLimit = HISTORY
    if not spec.HasField("progressDeadlineSeconds"):
        spec.progressDeadlineSeconds = PROGRESS_DEADLINE_S


def default_replica_set(replica_set: apps.ReplicaSet) -> None:
    """One replica."""
    _default_replicas(replica_set.spec)


def _default_replicas(spec: apps.DeploymentSpec | apps.ReplicaSetSpec) -> None:
    if not spec.HasField("replicas"):
        spec.replicas = 1
    defaults.default_spec(spec.template.spec)


def validate_deployment(deployment: apps.Deployment, found: Findings) -> None:
    """Everything in a Deployment's spec."""
    spec = deployment.spec
    _workload(spec, "deployment", found)
    found.not_negative("spec.revisionHistoryLimit", spec.revisionHistoryLimit)
    found.not_negative("spec.progressDeadlineSeconds", spec.progressDeadlineSeconds)
    if spec.progressDeadlineSeconds <= spec.minReadySeconds:
        detail = "must be greater than minReadySeconds"
        found.invalid("spec.progressDeadlineSeconds", spec.progressDeadlineSeconds, detail)
    _strategy(spec.strategy, found)


def validate_replica_set(replica_set: apps.ReplicaSet, found: Findings) -> None:
    """Everything in a ReplicaSet's spec."""
    _workload(replica_set.spec, "ReplicaSet", found)


def validate_selector_update(old: Any, new: Any, found: Findings) -> None:
    """The selector stays: otherwise the pods of before would belong to nobody."""
    if old.spec.selector != new.spec.selector:
        text = _selector_text(new.spec.selector)
        found.invalid("spec.selector", text, IMMUTABLE)


def _workload(spec: apps.DeploymentSpec | apps.ReplicaSetSpec, word: str, found: Findings) -> None:
    """What everything that makes pods from a template shares."""
    found.not_negative("spec.replicas", spec.replicas)
    found.not_negative("spec.minReadySeconds", spec.minReadySeconds)
    _selector(spec, word, found)
    template = spec.template
    metadata.validate_template(template.metadata, "spec.template.metadata", found)
    pod_spec.validate(template.spec, "spec.template.spec", found)
    _template_of_replicas(template.spec, found)


def _selector(spec: apps.DeploymentSpec | apps.ReplicaSetSpec, word: str, found: Findings) -> None:
    selector = spec.selector
    if not spec.HasField("selector"):
        found.required("spec.selector")
        return
    if not selector.matchLabels and not selector.matchExpressions:
        found.invalid("spec.selector", "{}", f"empty selector is invalid for {word}")
        return
    before = len(found)
    labels.validate_selector(selector, "spec.selector", found)
    carried = spec.template.metadata.labels
    if len(found) == before and not selectors.from_message(selector).matches(carried):
        text = ", ".join(f"{key}={value}" for key, value in sorted(carried.items()))
        detail = "`selector` does not match template `labels`"
        found.invalid("spec.template.metadata.labels", text, detail)


def _template_of_replicas(spec: core.PodSpec, found: Findings) -> None:
    """Replicas are meant to run for ever."""
    if spec.restartPolicy in ("OnFailure", "Never"):
        found.unsupported("spec.template.spec.restartPolicy", spec.restartPolicy, ("Always",))
    if spec.HasField("activeDeadlineSeconds"):
        detail = "activeDeadlineSeconds in ReplicaSet is not supported"
        found.forbidden("spec.template.spec.activeDeadlineSeconds", detail)


def _strategy(strategy: apps.DeploymentStrategy, found: Findings) -> None:
    path = "spec.strategy"
    found.one_of(f"{path}.type", strategy.type, STRATEGIES)
    if strategy.type == "Recreate" and strategy.HasField("rollingUpdate"):
        detail = "may not be specified when strategy `type` is 'Recreate'"
        found.forbidden(f"{path}.rollingUpdate", detail)
    if strategy.type != "RollingUpdate":
        return
    rolling, at = strategy.rollingUpdate, f"{path}.rollingUpdate"
    unavailable, surge = rolling.maxUnavailable, rolling.maxSurge
    sound = _share(unavailable, f"{at}.maxUnavailable", found)
    sound = _share(surge, f"{at}.maxSurge", found) and sound
    if not sound:
        return
    if (intorstring.percent(unavailable) or 0) > 100:
        detail = "must not be greater than 100%"
        found.invalid(f"{at}.maxUnavailable", unavailable.strVal, detail)
    if _is_zero(unavailable) and _is_zero(surge):
        text = intorstring.text(unavailable)
        found.invalid(f"{at}.maxUnavailable", text, "may not be 0 when `maxSurge` is 0")


def _share(value: meta.IntOrString, path: str, found: Findings) -> bool:
    """A count or a percentage, not negative."""
    if intorstring.is_text(value):
        if intorstring.percent(value) is None:
            found.invalid(path, value.strVal, _PERCENT_RULE)
            return False
        return True
    found.not_negative(path, value.intVal)
    return value.intVal >= 0


def _is_zero(value: meta.IntOrString) -> bool:
    percent = intorstring.percent(value)
    return value.intVal == 0 if percent is None else percent == 0


def _selector_text(selector: meta.LabelSelector) -> str:
    terms = [f"{key}={value}" for key, value in sorted(selector.matchLabels.items())]
    terms += [f"{e.key} {e.operator} ({','.join(e.values)})" for e in selector.matchExpressions]
    return ",".join(terms)
