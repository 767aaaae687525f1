"""How messages, entries and states read in a script's output.

The forms are those of etcd-io/raft's published scripts, character by character; ids of members
are hexadecimal in messages, all other numbers decimal.

Pure module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from holdfast.control.raft.messages import (
    LOCAL_APPEND,
    LOCAL_APPLY,
    NONE,
    ConfChangeType,
    ConfState,
    Entry,
    EntryType,
    HardState,
    Message,
    MessageType,
    Snapshot,
    decode_conf_change,
)
from holdfast.control.raft.progress import Progress, ProgressState
from holdfast.control.raft.ready import ReadState, Ready, Role, SoftState
from holdfast.control.raft.tracker import TrackerConfig

MESSAGE_NAMES = {
    MessageType.HUP: "MsgHup",
    MessageType.BEAT: "MsgBeat",
    MessageType.PROP: "MsgProp",
    MessageType.APP: "MsgApp",
    MessageType.APP_RESP: "MsgAppResp",
    MessageType.VOTE: "MsgVote",
    MessageType.VOTE_RESP: "MsgVoteResp",
    MessageType.PRE_VOTE: "MsgPreVote",
    MessageType.PRE_VOTE_RESP: "MsgPreVoteResp",
    MessageType.SNAP: "MsgSnap",
    MessageType.HEARTBEAT: "MsgHeartbeat",
    MessageType.HEARTBEAT_RESP: "MsgHeartbeatResp",
    MessageType.UNREACHABLE: "MsgUnreachable",
    MessageType.SNAP_STATUS: "MsgSnapStatus",
    MessageType.CHECK_QUORUM: "MsgCheckQuorum",
    MessageType.TRANSFER_LEADER: "MsgTransferLeader",
    MessageType.TIMEOUT_NOW: "MsgTimeoutNow",
    MessageType.READ_INDEX: "MsgReadIndex",
    MessageType.READ_INDEX_RESP: "MsgReadIndexResp",
    MessageType.STORAGE_APPEND: "MsgStorageAppend",
    MessageType.STORAGE_APPEND_RESP: "MsgStorageAppendResp",
    MessageType.STORAGE_APPLY: "MsgStorageApply",
    MessageType.STORAGE_APPLY_RESP: "MsgStorageApplyResp",
    MessageType.FORGET_LEADER: "MsgForgetLeader",
}
ROLE_NAMES = {
    Role.FOLLOWER: "StateFollower",
    Role.CANDIDATE: "StateCandidate",
    Role.LEADER: "StateLeader",
    Role.PRE_CANDIDATE: "StatePreCandidate",
}
PROGRESS_NAMES = {
    ProgressState.PROBE: "StateProbe",
    ProgressState.REPLICATE: "StateReplicate",
    ProgressState.SNAPSHOT: "StateSnapshot",
}
ENTRY_NAMES = {
    EntryType.NORMAL: "EntryNormal",
    EntryType.CONF_CHANGE: "EntryConfChange",
    EntryType.CONF_CHANGE_V2: "EntryConfChangeV2",
}
CHANGE_LETTERS = {
    ConfChangeType.ADD_NODE: "v",
    ConfChangeType.ADD_LEARNER_NODE: "l",
    ConfChangeType.REMOVE_NODE: "r",
    ConfChangeType.UPDATE_NODE: "u",
}
_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}


def ready(work: Ready) -> str:
    """The work of one round, each section on lines of its own."""
    sections = []
    if work.soft_state is not None:
        sections.append(f"{soft_state(work.soft_state)}\n")
    if work.hard_state is not None and work.hard_state != HardState():
        sections.append(f"HardState {hard_state(work.hard_state)}\n")
    if work.read_states:
        sections.append(f"ReadStates {read_states(work.read_states)}\n")
    if work.entries:
        sections.append(f"Entries:\n{entries(work.entries)}")
    if work.snapshot is not None and work.snapshot.index:
        sections.append(f"Snapshot {snapshot(work.snapshot)}\n")
    if work.committed_entries:
        sections.append(f"CommittedEntries:\n{entries(work.committed_entries)}")
    if work.messages:
        sent = "".join(f"{message(each)}\n" for each in work.messages)
        sections.append(f"Messages:\n{sent}")
    if not sections:
        return "<empty Ready>"
    return f"Ready MustSync={boolean(work.must_sync)}:\n{''.join(sections)}"


def message(sent: Message, indent: str = "") -> str:
    """One message; responses that wait for the disk stand below it, indented."""
    text = (
        f"{indent}{target(sent.sender)}->{target(sent.to)} {MESSAGE_NAMES[sent.type]}"
        f" Term:{sent.term} Log:{sent.log_term}/{sent.index}"
    )
    if sent.reject:
        text += f" Rejected (Hint: {sent.reject_hint})"
    if sent.commit:
        text += f" Commit:{sent.commit}"
    if sent.vote:
        text += f" Vote:{sent.vote}"
    if len(sent.entries) == 1:
        text += f" Entries:[{entry(sent.entries[0])}]"
    elif sent.entries:
        lines = "".join(f"\n{indent}  {entry(each)}" for each in sent.entries)
        text += f" Entries:[{lines}\n{indent}]"
    if sent.snapshot is not None and sent.snapshot.index:
        text += f"\n{indent}  Snapshot: {snapshot(sent.snapshot)}"
    if sent.responses:
        lines = "".join(f"\n{message(each, indent + '  ')}" for each in sent.responses)
        text += f" Responses:[{lines}\n{indent}]"
    return text


def target(member: int) -> str:
    """Who sends or receives."""
    named = {NONE: "None", LOCAL_APPEND: "AppendThread", LOCAL_APPLY: "ApplyThread"}
    return named.get(member, f"{member:x}")


def entries(listed: Iterable[Entry]) -> str:
    """Entries, one a line."""
    return "".join(f"{entry(each)}\n" for each in listed)


def entry(each: Entry) -> str:
    """One entry: term/index, type, and its data or changes."""
    change = decode_conf_change(each)
    if change is None:
        data = quoted(each.data)
    else:
        data = " ".join(f"{CHANGE_LETTERS[c.type]}{c.node}" for c in change.as_v2().changes)
    return f"{each.term}/{each.index} {ENTRY_NAMES[each.type]} {data}".rstrip(" ")


def hard_state(state: HardState) -> str:
    """Term, vote (if any) and commit."""
    vote = f" Vote:{state.vote}" if state.vote else ""
    return f"Term:{state.term}{vote} Commit:{state.commit}"


def soft_state(state: SoftState) -> str:
    """Who leads, and what the member is."""
    return f"Lead:{state.leader} State:{ROLE_NAMES[state.role]}"


def read_states(states: Iterable[ReadState]) -> str:
    """Reads that may be answered: index and the bytes of the context."""
    shown = (f"{{{s.index} [{' '.join(map(str, s.context))}]}}" for s in states)
    return f"[{' '.join(shown)}]"


def snapshot(image: Snapshot) -> str:
    """Where a snapshot stands and its configuration; the data is not shown."""
    return f"Index:{image.index} Term:{image.term} ConfState:{conf_state(image.conf_state)}"


def conf_state(state: ConfState) -> str:
    """A configuration as a snapshot carries it."""
    return (
        f"Voters:[{_spaced(state.voters)}] VotersOutgoing:[{_spaced(state.voters_outgoing)}]"
        f" Learners:[{_spaced(state.learners)}] LearnersNext:[{_spaced(state.learners_next)}]"
        f" AutoLeave:{boolean(state.auto_leave)}"
    )


def config(in_force: TrackerConfig) -> str:
    """A configuration as the tracker holds it."""
    incoming, outgoing = in_force.voters
    text = f"voters={majority(incoming)}"
    if outgoing:
        text += f"&&{majority(outgoing)}"
    if in_force.learners:
        text += f" learners={majority(in_force.learners)}"
    if in_force.learners_next:
        text += f" learners_next={majority(in_force.learners_next)}"
    return f"{text} autoleave" if in_force.auto_leave else text


def majority(members: Iterable[int]) -> str:
    """The ids of one half."""
    return f"({' '.join(f'{member:x}' for member in members)})"


def progress_map(members: Mapping[int, Progress]) -> str:
    """All members' progress, one a line."""
    return "".join(f"{member}: {progress(each)}\n" for member, each in sorted(members.items()))


def progress(each: Progress) -> str:
    """One member's progress; only what is out of the ordinary is named after the indexes."""
    text = f"{PROGRESS_NAMES[each.state]} match={each.match} next={each.next}"
    if each.is_learner:
        text += " learner"
    if each.is_paused():
        text += " paused"
    if each.pending_snapshot:
        text += f" pendingSnap={each.pending_snapshot}"
    if not each.recent_active:
        text += " inactive"
    if each.inflights.count():
        text += f" inflight={each.inflights.count()}"
        if each.inflights.full():
            text += "[full]"
    return text


def boolean(value: bool) -> str:
    """`true` or `false`."""
    return str(value).lower()


def quoted(data: bytes) -> str:
    """Bytes in double quotes; what cannot be shown is escaped."""
    shown = []
    for char in data.decode("utf-8", "surrogateescape"):
        code = ord(char)
        if char in _ESCAPES:
            shown.append(_ESCAPES[char])
        elif 0xDC80 <= code <= 0xDCFF:
            shown.append(f"\\x{code - 0xDC00:02x}")
        elif char.isprintable():
            shown.append(char)
        elif code < 0x80:
            shown.append(f"\\x{code:02x}")
        else:
            shown.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return f'"{"".join(shown)}"'


def _spaced(members: Iterable[int]) -> str:
    return " ".join(map(str, members))
