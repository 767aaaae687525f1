"""The kinds that run, scale and protect pods: apps, batch, autoscaling, policy, scheduling.

Pure module.
"""

from __future__ import annotations

from holdfast.api.kinds.columns import workloads
from holdfast.api.kinds.kind import Kind

_APPS = "apps.v1.apps_pb2"
_BATCH = "batch.v1.batch_pb2"

KINDS = (
    Kind(
        "apps", "v1", "Deployment", "deployments", _APPS, ("deploy",),
        categories=("all",),
        subresources=("scale", "status"),
        columns=workloads.DEPLOYMENTS,
        built=True,
    ),
    Kind(
        "apps", "v1", "ReplicaSet", "replicasets", _APPS, ("rs",),
        categories=("all",),
        subresources=("scale", "status"),
        columns=workloads.REPLICA_SETS,
        selectable={"status.replicas": lambda replica_set: str(replica_set.status.replicas)},
        built=True,
    ),
    Kind(
        "apps", "v1", "StatefulSet", "statefulsets", _APPS, ("sts",),
        categories=("all",),
        subresources=("scale", "status"),
    ),
    Kind(
        "apps", "v1", "DaemonSet", "daemonsets", _APPS, ("ds",),
        categories=("all",),
        subresources=("status",),
    ),
    Kind("apps", "v1", "ControllerRevision", "controllerrevisions", _APPS),
    Kind(
        "batch", "v1", "Job", "jobs", _BATCH,
        categories=("all",),
        subresources=("status",),
        selectable={"status.successful": lambda job: str(job.status.succeeded)},
    ),
    Kind(
        "batch", "v1", "CronJob", "cronjobs", _BATCH, ("cj",),
        categories=("all",),
        subresources=("status",),
    ),
    Kind(
        "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers",
        "autoscaling.v2.autoscaling_pb2", ("hpa",),
        categories=("all",),
        subresources=("status",),
    ),
    Kind(
        "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "policy.v1.policy_pb2",
        ("pdb",),
        subresources=("status",),
    ),
    Kind(
        "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses",
        "scheduling.v1.scheduling_pb2", ("pc",),
        namespaced=False,
    ),
)  # fmt: skip
