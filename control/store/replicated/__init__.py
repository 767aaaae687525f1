"""The inside of the raft engine: what turns a replicated log into a store.

From the disk up: `tail` (the log in memory), `opening` (load and verify), `writer` (one
transaction a group), `machine` (entries into state), `proposals` (commits into entries),
`readings` (old revisions), `snapshots` (the state over a wire), `members`, `recovery`, `upkeep`.
`raft_engine` joins them around the driver of `control/raft/shell`.
"""
