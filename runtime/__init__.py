"""Container runtimes behind one interface: real (CRI over containerd's socket) and hollow.

`interface` is what the node agent speaks; `cri` and `hollow` implement it and one conformance
suite runs on both. `containerd` writes the configuration of a containerd of our own, `images`
builds the images that ship with Holdfast. Nothing here knows pods' rules, the API or the cluster.
"""
