"""The scheduler: gives each pod a node.

`table` is the cluster as the scheduler counts it, `shapes` what pods ask for, `filters` which
nodes can, `scores` and `ranking` which node is best, `placement` joins them for a batch of pods,
`queue` holds the pods that wait: all pure. `loop` is the only shell. Not here: anything that moves
a pod that runs.
"""
