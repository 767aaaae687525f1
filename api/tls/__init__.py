"""Keys, certificates and tokens as every program uses them.

`keys` and `certificates` make and read them, `credentials` keeps them in a directory, `tokens` is
the printable join token, `assertion` proves a certificate call by call on a shared connection,
`joining` gets a machine its certificate and renews it. What the cluster's own authority signs is
decided in control/access, not here; connections are opened by api/client.
"""
