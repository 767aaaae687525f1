"""The command line: verbs over gRPC, tables, progress, and the cluster on this machine.

Imports no other program: `holdfast control|node|netproxy` replace this process by theirs.
Everything slow to import (grpc, rich, the schema) is imported inside the verb that needs it.
"""
