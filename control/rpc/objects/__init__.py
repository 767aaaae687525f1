"""What the Resources service does with a request: decode, select, read, watch, write, patch.

`resources` beside this folder joins these to gRPC; nothing here knows of servers or contexts.
"""
