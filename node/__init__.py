"""The node agent: makes this machine's containers equal to the pods bound to its node.

`machine` decides (pure: events in, instructions out), `agent` carries instructions out on a
container runtime, `uplink` talks to the control nodes, `streams` serves logs and exec on streams
it dials itself. `hollow` runs thousands of nodes with simulated containers in one process.
"""
