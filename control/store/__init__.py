"""The store: commits in, revisions and changes out, durable before anybody hears of them.

From the inside out: `commands` (what is said), `state` with `retries` (what is decided, pure),
`records` (the log's bytes, pure), `history` and `behind` (what memory has and disk has not,
pure), `image` (the SQLite schema), `database` (its thread), `directory` and `opening` (whose
files these are, and loading them), `groups` and `pipeline` (group commit), `upkeep`, and
`local_engine`, which joins them. The Raft and etcd engines reuse all but the pipeline.
"""
