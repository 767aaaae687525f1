"""What the core and its storage raise, by who has to act on it.

Three families. A `StorageError` is an answer of the log ("that index is gone"), which the core
or its caller handles. A `StepError` tells a caller that its proposal or message was not taken;
nothing changed. `RaftPanic` is neither: a state that no correct run reaches (a lost or foreign
log, a broken caller). Whoever meets it ends the process; going on could lose acknowledged data.

Pure module.
"""


class RaftPanic(Exception):  # noqa: N818 - an order to stop, not an error to handle
    """An impossible state: the process must end, without a further write or message."""


class StorageError(Exception):
    """The log cannot answer what was asked of it."""


class CompactedError(StorageError):
    """The index lies before the first entry kept: a snapshot has taken its place."""

    def __init__(self) -> None:
        super().__init__("requested index is unavailable due to compaction")


class UnavailableError(StorageError):
    """The index lies beyond the last entry kept."""

    def __init__(self) -> None:
        super().__init__("requested entry at index is unavailable")


class SnapshotUnavailableError(StorageError):
    """No snapshot can be had yet; ask again later."""

    def __init__(self) -> None:
        super().__init__("snapshot is temporarily unavailable")


class SnapshotOutOfDateError(StorageError):
    """A newer snapshot is already in place."""

    def __init__(self) -> None:
        super().__init__("requested index is older than the existing snapshot")


class StepError(Exception):
    """A message or proposal was refused; the node's state is unchanged."""


class ProposalDroppedError(StepError):
    """No leader to take it, a transfer in progress, or too much is uncommitted: try later."""

    def __init__(self) -> None:
        super().__init__("raft proposal dropped")


class StepLocalError(StepError):
    """A message that only this process may produce came from elsewhere."""

    def __init__(self) -> None:
        super().__init__("raft: cannot step raft local message")


class StepPeerNotFoundError(StepError):
    """An answer came from someone who is not in the configuration."""

    def __init__(self) -> None:
        super().__init__("raft: cannot step as peer not found")
