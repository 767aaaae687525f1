"""Holdfast: a container orchestrator. Each part is a folder at the root, linked here.

Settings of gRPC's C core, which reads them when it is first imported: our programs start other
programs but never fork to go on as two, and its fork handlers crash the child of a busy process;
what goes wrong reaches our own log as an error with a sentence, so its own lines are noise.
"""

import os

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
