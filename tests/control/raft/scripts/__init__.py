"""Scripts that drive the consensus core: a command, `----`, and the expected output.

`python -m tests.control.raft.scripts PATH…` runs files or folders; what a script may say is told
by the name of its folder: `interaction` drives whole nodes, `quorum` the arithmetic of majorities,
`confchange` membership changes. The format and the published scripts are etcd-io/raft's; our own
stand in `tests/control/raft/data`. All text forms of messages and states live here: the core
knows none.
"""
