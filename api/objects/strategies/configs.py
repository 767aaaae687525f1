"""Config maps, secrets and service accounts: what configures pods. Pure module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from holdfast.api import names
from holdfast.api.objects.findings import IMMUTABLE

if TYPE_CHECKING:
    from holdfast.api.core.v1 import core_pb2 as core
    from holdfast.api.objects.findings import Findings

DATA_BYTES_MAX = 1 << 20

OPAQUE = "Opaque"
# Secret types whose readers need certain keys (pkg/apis/core/validation ValidateSecret).
REQUIRED_KEYS: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_BASIC_AUTH_KEYS = ("username", "password")
_FROZEN = "field is immutable when `immutable` is set"


def default_secret(secret: core.Secret) -> None:
    """Opaque; stringData, the form for writing by hand, becomes data and wins over it."""
    if not secret.type:
        secret.type = OPAQUE
    if secret.stringData:
        data = secret.data
        for key, text in secret.stringData.items():
            data[key] = text.encode()
        secret.ClearField("stringData")


def validate_config_map(item: core.ConfigMap, found: Findings) -> None:
    """Keys that can be file names, in one of the two maps, at most 1 MiB in all."""
    data, binary = item.data, item.binaryData
    _keys(data, "data", found)
    if binary:
        _keys(binary, "binaryData", found)
        for key in sorted(key for key in binary if key in data):
            found.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    # The whole is measured in C; only one that is too large is looked at value by value.
    if item.ByteSize() > DATA_BYTES_MAX:
        size = sum(len(value.encode()) for value in data.values())
        if size + sum(map(len, binary.values())) > DATA_BYTES_MAX:
            found.too_long("data", DATA_BYTES_MAX)


def validate_secret(item: core.Secret, found: Findings) -> None:
    """Keys that can be file names, at most 1 MiB, and the keys its type promises."""
    data = item.data
    _keys(data, "data", found)
    if item.ByteSize() > DATA_BYTES_MAX and sum(map(len, data.values())) > DATA_BYTES_MAX:
        found.too_long("data", DATA_BYTES_MAX)
    for key in REQUIRED_KEYS.get(item.type, ()):
        if key not in data:
            found.required(f"data[{key}]", f"needed by a secret of type {item.type}")
    if item.type == "kubernetes.io/basic-auth" and not any(k in data for k in _BASIC_AUTH_KEYS):
        found.required("data[username]", "a secret of this type needs username or password")


def validate_config_map_update(old: core.ConfigMap, new: core.ConfigMap, found: Findings) -> None:
    """`immutable: true` freezes the data and itself."""
    if old.immutable:
        _frozen(old, new, ("data", "binaryData"), found)


def validate_secret_update(old: core.Secret, new: core.Secret, found: Findings) -> None:
    """The type stays; `immutable: true` freezes the data and itself."""
    if old.type != new.type:
        found.invalid("type", new.type, IMMUTABLE)
    if old.immutable:
        _frozen(old, new, ("data",), found)


def _frozen(
    old: core.ConfigMap | core.Secret,
    new: core.ConfigMap | core.Secret,
    fields: tuple[str, ...],
    found: Findings,
) -> None:
    if not new.immutable:
        found.forbidden("immutable", _FROZEN)
    for field in fields:
        if getattr(old, field) != getattr(new, field):
            found.forbidden(field, _FROZEN)


def _keys(keys: Iterable[str], path: str, found: Findings) -> None:
    for key in keys:
        if broken := names.config_key(key):
            found.invalid(f"{path}[{key}]", key, broken)
