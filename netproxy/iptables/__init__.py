"""Forwarding through iptables: rules as values, their text, the difference, one transaction.

`chains` says what is wanted, `text` writes and reads rules in the words of iptables-save,
`difference` compares, `backend` performs; `fake` is a strict iptables in memory and `trace` tells
what happens to a packet. Only `kernel` runs a command.
"""
