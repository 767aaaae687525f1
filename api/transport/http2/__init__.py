"""HTTP/2 without a socket (RFC 9113, header compression RFC 7541): bytes in, events out.

`connection` is the state machine of one end; `events` are what it tells; `outgoing` holds back what
the peer's windows do not let through; `fields` and `frames` are the forms on the wire, `windows`
the counting of flow control. Everything here is pure; `link` one folder up joins it to asyncio.
"""
