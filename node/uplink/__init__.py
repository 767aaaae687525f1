"""What one node has to do with the control nodes: its session, its pods, and what it writes.

Each node, hollow or real, has one `link.Uplink` of its own: its own identity, session, watch and
writes, which are never merged with another node's. Connections may be shared.
"""
