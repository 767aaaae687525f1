"""Raft: a pure consensus core, and the shell that gives it a disk, a network and a clock.

The core decides and touches nothing: `messages`, `changes` and `ready` (what goes in and out),
`storage` (what it reads), `quorum`, `inflights`, `progress`, `tracker` and `confchange`
(arithmetic over members), `log/`, `core/` (the roles), `rounds` and `node` (the door). Its
behaviour is etcd-io/raft's, held to that library's published scripts. `shell/` drives `node` and
performs what each Ready says: persist, then send, then apply.
"""
