"""What runs the consensus core: the driver with its seams, and the transport over gRPC.

The driver performs persist, send, apply; everything it touches is a protocol (`seams`), so the
same code runs in production and in a simulation. Nothing here knows what the entries mean.
"""
