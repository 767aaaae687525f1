"""The kinds of storage and of node runtimes. Pure module."""

from __future__ import annotations

from holdfast.api.kinds.kind import Kind

_GROUP = "storage.k8s.io"
_MODULE = "storage.v1.storage_pb2"

KINDS = (
    Kind(_GROUP, "v1", "StorageClass", "storageclasses", _MODULE, ("sc",), namespaced=False),
    Kind(
        _GROUP, "v1", "VolumeAttachment", "volumeattachments", _MODULE,
        namespaced=False,
        subresources=("status",),
    ),
    Kind(
        _GROUP, "v1", "VolumeAttributesClass", "volumeattributesclasses", _MODULE, ("vac",),
        namespaced=False,
    ),
    Kind(_GROUP, "v1", "CSIDriver", "csidrivers", _MODULE, namespaced=False),
    Kind(_GROUP, "v1", "CSINode", "csinodes", _MODULE, namespaced=False),
    Kind(_GROUP, "v1", "CSIStorageCapacity", "csistoragecapacities", _MODULE),
    Kind("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", "node.v1.node_pb2",
         namespaced=False),
)  # fmt: skip
