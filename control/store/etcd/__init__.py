"""The etcd engine: the same store on an existing etcd v3, led by one control node at a time.

**Revisions.** etcd counts one revision a transaction, we count one a change. So the n-th change
(n < 128) of the transaction that etcd made its revision R has the revision `R * 128 + n + offset`:
each change has its own, those of one commit follow each other, and they only grow, by more than
one where others write to the same etcd. `offset` is fixed when a store is made: 0, or, for a
cluster moved from another engine, so much that its revisions lie 2^32 above those it had.

**Commits.** Only the leader writes. It judges commits on its memory, packs as many as fit into one
transaction, and lets etcd make it only if the leader's key still has the create revision of this
leader's term *and* the head key was not written since the memory's newest transaction. Each
transaction writes the head, so they form a chain: memory was level, judgement holds, and a
transaction whose answer was lost can be sent again until it is known what came of it. The next
one waits for that. A refusal is confirmed by the same two compares.

**Memory** follows one watch on all keys, the leader's too: a commit is answered when its events
have come back and the listeners have been told. Other control nodes follow the same watch.

From the inside out: `stored` (what is where), `target` (the address text), `image`, `planning`
(what may be made), `folding` (what was made), all pure; `connection`, `watching`, `reading`,
`replica` (memory that follows etcd), `founding`, `past` (reads of it), `writer`, `leadership`,
`controls` (who the control nodes are), `upkeep`; `engine` joins them; `moving` moves a cluster
here or away, `importing` fills the store for it.
"""
