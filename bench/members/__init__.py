"""Groups of processes that benches load: members of our own store alone, and Debian's etcd.

A member is an engine, its transport and one small service (`service`); no registry, cache or API
is in it. `processes` starts, kills and ends them, `certificates` makes what mutual TLS needs,
`calls` is the client's side of both. Everything lives in one temporary folder, and every process
dies with the bench.
"""
