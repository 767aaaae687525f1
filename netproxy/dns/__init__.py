"""Cluster DNS on this machine: the cluster's zone from memory, everything else from upstream.

`records` and `zone` know the names, `answers` turns a question into bytes (all pure); `server`
listens, `upstream` asks others, `resolvers` says whom.
"""
