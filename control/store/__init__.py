"""The store: commits in, revisions and changes out, durable before anybody hears of them.

From the inside out: `commands` (what is said), `state` with `retries` (what is decided, pure),
`records` (the log's bytes, pure), `image` (the SQLite schema), `database` (its thread),
`directory` (whose files these are), `history` and `floor` (old revisions), `local_engine` (the
shell that orders disk, memory and listeners). The Raft and etcd engines reuse all but the shell.
"""
