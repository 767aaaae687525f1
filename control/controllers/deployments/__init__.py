"""The Deployment controller: from one template to the next without a gap.

A Deployment owns one ReplicaSet a template it ever had. `sizes` says how many replicas each gets
(rolling update, recreation, proportional scaling: arithmetic only), `revisions` which set belongs
to which template and how they are numbered, `progress` what the status says; `controller` joins
them. All pure; the behaviour is that of Kubernetes' deployment controller.
"""

from holdfast.control.controllers.deployments.controller import Deployments

__all__ = ["Deployments"]
