"""Addresses the cluster hands out: service IPs, node ports, pod ranges of nodes.

An address is taken by a key of its own ("~serviceips" "10.96.3.7") that must not exist and is
created in the same atomic commit as the object that uses it, and freed in the commit that deletes
it: uniqueness needs no lock and survives any crash.
"""
