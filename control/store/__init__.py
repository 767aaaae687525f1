"""The store: commits in, revisions and changes out, durable before anybody hears of them.

From the inside out: `commands` (what is said), `state` with `retries` (what is decided, pure),
`records` (the log's bytes, pure), `history` and `behind` (what memory has and disk has not,
pure), `image` (the SQLite schema), `database` (its thread), `directory` and `disk` (whose files
these are), `groups` (group commit), and the engines: `raft_engine` with the parts in
`replicated`, and `etcd`.
"""
