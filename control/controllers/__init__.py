"""The controllers: what makes the cluster equal to what was asked for.

One module or folder a controller, each a pure `reconcile(view, key, now) -> Decision`; `runner`
is the only shell. They run inside the leader, read its cache and write through the registry.
What they write is judged like any client's write. Not here: placement of pods (scheduler), and
anything that talks to a node.
"""
