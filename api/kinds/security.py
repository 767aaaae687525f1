"""The kinds of rbac, authentication, authorization, certificates and admission. Pure module."""

from __future__ import annotations

from holdfast.api.kinds.kind import Kind

_RBAC = "rbac.v1.rbac_pb2"
_AUTHENTICATION = "authentication.v1.authentication_pb2"
_AUTHORIZATION = "authorization.v1.authorization_pb2"
_ADMISSION = "admissionregistration.v1.admissionregistration_pb2"


def _rbac(kind: str, plural: str, namespaced: bool) -> Kind:
    return Kind("rbac.authorization.k8s.io", "v1", kind, plural, _RBAC, namespaced=namespaced)


def _review(group: str, module: str, kind: str, namespaced: bool = False) -> Kind:
    """A question that is answered, not stored."""
    plural = kind.lower() + "s"
    return Kind(group, "v1", kind, plural, module, namespaced=namespaced, verbs=("create",))


def _admission(kind: str, plural: str, status: bool = False) -> Kind:
    group = "admissionregistration.k8s.io"
    subresources = ("status",) if status else ()
    return Kind(group, "v1", kind, plural, _ADMISSION, namespaced=False, subresources=subresources)


KINDS = (
    _rbac("Role", "roles", namespaced=True),
    _rbac("RoleBinding", "rolebindings", namespaced=True),
    _rbac("ClusterRole", "clusterroles", namespaced=False),
    _rbac("ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    _review("authentication.k8s.io", _AUTHENTICATION, "TokenReview"),
    _review("authentication.k8s.io", _AUTHENTICATION, "SelfSubjectReview"),
    _review("authorization.k8s.io", _AUTHORIZATION, "SubjectAccessReview"),
    _review("authorization.k8s.io", _AUTHORIZATION, "SelfSubjectAccessReview"),
    _review("authorization.k8s.io", _AUTHORIZATION, "SelfSubjectRulesReview"),
    _review("authorization.k8s.io", _AUTHORIZATION, "LocalSubjectAccessReview", namespaced=True),
    Kind(
        "certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests",
        "certificates.v1.certificates_pb2", ("csr",),
        namespaced=False,
        subresources=("approval", "status"),
        selectable={"spec.signerName": lambda request: request.spec.signerName},
    ),
    _admission("ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
    _admission("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
    _admission("ValidatingAdmissionPolicy", "validatingadmissionpolicies", status=True),
    _admission("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
    _admission("MutatingAdmissionPolicy", "mutatingadmissionpolicies"),
    _admission("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings"),
)  # fmt: skip
