"""The state machine of one Raft node, role by role.

`raft.Raft` is the door: `tick()` and `step(message)`; what must be written and sent piles up in
its state until `node.RawNode` hands it out. `state` holds the fields and the moves between roles.
The rest are functions over the state: `election`, `replication`, `proposals`, `membership`,
`acceptance` (what a follower takes in), `reading` over the queue in `readonly`, and the tables
`follower`, `candidate`, `leader` that say who handles what.
Imports go from the tables down to `state`, never back. No clock, disk or network here.
"""
