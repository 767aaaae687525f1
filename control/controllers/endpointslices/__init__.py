"""The EndpointSlice controller: which pods stand behind a Service, said in few small writes.

`members` keeps, for each Service, what of its pods matters, one small step a change; `slices`
compares that with the slices that exist and changes as few of them as possible; `controller`
joins the two. All pure; the slices are those Kubernetes' controller would write.
"""

from holdfast.control.controllers.endpointslices.controller import EndpointSlices

__all__ = ["EndpointSlices"]
