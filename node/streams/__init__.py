"""Logs and exec, on streams that the agent dials itself: it listens on nothing.

A ticket comes down the node's session; `dial` opens one stream for it and joins it to `logs` (the
files on disk) or `exec` (a WebSocket to the runtime on loopback).
"""
