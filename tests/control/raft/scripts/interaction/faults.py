"""Commands of our own: reads, and what the published scripts never do to a member.

They print no more than is needed to see what happened: the messages that were doubled, the state
from which a member went on.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.control.raft.messages import MessageType
from tests.control.raft.scripts import describe
from tests.control.raft.scripts.datadriven import Block, ScriptError, number
from tests.control.raft.scripts.interaction.environment import Environment, is_local

_TYPES = {name: kind for kind, name in describe.MESSAGE_NAMES.items()}


def read_index(env: Environment, block: Block) -> None:
    """`read-index MEMBER CONTEXT`: ask for an index at which a read is linearizable."""
    member, context = _words(block, 2)
    env.member(number(member)).node.read_index(context.encode())


def crash(env: Environment, block: Block) -> None:
    """`crash MEMBER`: what it did not make durable is lost, and what it said to itself. Messages
    that it sent, and those to it, stay on their way."""
    gone = number(_words(block, 1)[0])
    env.member(gone).crash()
    env.messages = [
        message
        for message in env.messages
        if not (is_local(message) and gone in (message.sender, message.to))
    ]


def restart(env: Environment, block: Block) -> None:
    """`restart MEMBER [applied=INDEX]`: go on from what is durable, after a crash or without.

    With `applied` the state machine begins at that state, as if later ones had not been durable.
    """
    member = env.running_or_crashed(number(_words(block, 1)[0]))
    if not member.crashed:
        crash(env, block)
    applied = block.option("applied")
    member.restart(env.logs.open(member.number), None if applied is None else number(applied))
    log = member.log.reads
    state = log.initial_state()[0]
    env.output.write(
        f"HardState {describe.hard_state(state)}\n"
        f"Log {log.first_index()}..{log.last_index()}"
        f" Applied:{member.images.latest.index}\n"
    )


def duplicate(env: Environment, block: Block) -> None:
    """`duplicate MEMBER… [type=MsgApp]`: what is on its way to the members arrives once more,
    after all that is on its way. What stays within a member is never doubled."""
    kind = message_type(block)
    doubled = [
        message
        for word in block.words()
        for message in env.waiting(number(word), kind, spare_local=True)
    ]
    env.messages += doubled
    for message in doubled:
        env.output.write(f"duplicated: {describe.message(message)}\n")
    if not doubled:
        env.output.write("no messages\n")


def report_snapshot(env: Environment, block: Block) -> None:
    """`report-snapshot MEMBER PEER finished|failed`: how the transfer of a snapshot ended."""
    member, peer, result = _words(block, 3)
    if result not in ("finished", "failed"):
        raise ScriptError("a snapshot finished or failed")
    env.member(number(member)).node.report_snapshot(number(peer), result == "finished")


def snapshots(env: Environment, block: Block) -> None:
    """`snapshots MEMBER available|unavailable`: whether the member's storage has one ready."""
    member, word = _words(block, 2)
    if word not in ("available", "unavailable"):
        raise ScriptError("snapshots are available or unavailable")
    env.member(number(member)).images.available = word == "available"


def content(env: Environment, block: Block) -> None:
    """`content MEMBER`: the state machine's latest state."""
    latest = env.running_or_crashed(number(_words(block, 1)[0])).images.latest
    env.output.write(f"Index:{latest.index} Term:{latest.term} {describe.quoted(latest.data)}\n")


def message_type(block: Block) -> MessageType | None:
    """Return the type of messages that a command is about, None for all."""
    name = block.option("type")
    if name is None:
        return None
    if name not in _TYPES:
        raise ScriptError(f"unknown message type {name}")
    return _TYPES[name]


def _words(block: Block, count: int) -> tuple[str, ...]:
    words = block.words()
    if len(words) != count:
        raise ScriptError(f"{block.command} takes {count} words")
    return words


COMMANDS: dict[str, Callable[[Environment, Block], None]] = {
    "content": content,
    "crash": crash,
    "duplicate": duplicate,
    "read-index": read_index,
    "report-snapshot": report_snapshot,
    "restart": restart,
    "snapshots": snapshots,
}
