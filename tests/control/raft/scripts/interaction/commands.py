"""What each published command of an interaction script does. Our own are in `faults`.

A command prints to the environment's output; one that printed nothing counts as `ok`. An error
ends a command and is printed after what it printed before, even where the output is silenced.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.control.raft.errors import StepError, StorageError
from holdfast.control.raft.messages import (
    ConfChange,
    ConfChangeTransition,
    ConfChangeV2,
    HardState,
    Message,
    MessageType,
)
from tests.control.raft.scripts import changes, describe
from tests.control.raft.scripts.datadriven import Block, ScriptError, number
from tests.control.raft.scripts.interaction import faults
from tests.control.raft.scripts.interaction.environment import Environment
from tests.control.raft.scripts.interaction.logs import Logs
from tests.control.raft.scripts.interaction.members import HarnessError, Member
from tests.control.raft.scripts.interaction.output import LEVELS
from tests.control.raft.scripts.interaction.settings import beginning, boolean, settings

_TRANSITIONS = {
    "auto": ConfChangeTransition.AUTO,
    "implicit": ConfChangeTransition.JOINT_IMPLICIT,
    "explicit": ConfChangeTransition.JOINT_EXPLICIT,
}


class InteractionHarness:
    """The members of one script."""

    def __init__(self, logs: Logs) -> None:
        self._environment = Environment(logs)

    def run(self, block: Block) -> str:
        """Run one command and return its output."""
        output = self._environment.output
        error = ""
        try:
            self._dispatch(block)
        except (HarnessError, StepError, StorageError, changes.ChangesError) as failure:
            error = str(failure)
        finally:
            printed = output.take()
        return printed + error or "ok"

    def close(self) -> None:
        """Release the logs."""
        self._environment.logs.close()

    def _dispatch(self, block: Block) -> None:
        command = COMMANDS.get(block.command)
        if command is None:
            raise HarnessError("unknown command")
        command(self._environment, block)


def add_nodes(env: Environment, block: Block) -> None:
    """`add-nodes COUNT [voters=(1,2)] [learners=(3)] [index=10] [content=…] [setting=…]`"""
    make, first = settings(block), beginning(block)
    for _ in range(block.number(0)):
        member = len(env.members) + 1
        log = env.logs.open(member)
        if first.index:
            log.save(HardState(), (), first)
            start = log.reads.first_index()
            if start != first.index + 1:
                raise HarnessError(
                    f"failed to establish first index {first.index + 1}; got {start}"
                )
        try:
            env.members.append(Member(member, make, log, first))
        except ValueError as error:
            raise HarnessError(str(error)) from error


def campaign(env: Environment, block: Block) -> None:
    """`campaign MEMBER`"""
    _member(env, block).node.campaign()


def compact(env: Environment, block: Block) -> None:
    """`compact MEMBER INDEX`: drop the log up to and with the index, print the rest."""
    member = _member(env, block)
    member.log.compact(block.number(1))
    env.raft_log(member.number)


def deliver_msgs(env: Environment, block: Block) -> None:
    """`deliver-msgs MEMBER… [drop=(MEMBER…)] [type=MsgApp]`"""
    kind = faults.message_type(block)
    dropped = [number(v) for key, values in block.arguments if key == "drop" for v in values]
    for member in dropped:
        if member in block.numbers():
            raise ScriptError(f"can't both deliver and drop msgs to {member}")
    count = 0
    for key, values in block.arguments:
        if not values:
            count += env.deliver(number(key), kind)
        elif key == "drop":
            count += sum(env.drop(number(value), kind) for value in values)
    if not count:
        env.output.write("no messages\n")


def process_ready(env: Environment, block: Block) -> None:
    """`process-ready MEMBER…`"""
    _each(env, block, "handling Ready", env.process_ready)


def process_append_thread(env: Environment, block: Block) -> None:
    """`process-append-thread MEMBER…`"""
    _each(env, block, "processing append thread", env.process_append_thread)


def process_apply_thread(env: Environment, block: Block) -> None:
    """`process-apply-thread MEMBER…`"""
    _each(env, block, "processing apply thread", env.process_apply_thread)


def log_level(env: Environment, block: Block) -> None:
    """`log-level LEVEL`"""
    _set_level(env, block.arguments[0].key)


def raft_log(env: Environment, block: Block) -> None:
    """`raft-log MEMBER`"""
    env.raft_log(block.number(0))


def raft_state(env: Environment, _block: Block) -> None:
    """`raft-state`: role, term and leader of each member, in its own view."""
    for member in env.members:
        if member.crashed:
            env.output.write(f"{member.number}: crashed\n")
            continue
        status = member.node.status()
        voter = "(Voter)" if status.config.voters.has(status.id) else "(Non-Voter)"
        env.output.write(
            f"{status.id}: {describe.ROLE_NAMES[status.soft_state.role]} {voter}"
            f" Term:{status.hard_state.term} Lead:{status.soft_state.leader}\n"
        )


def set_randomized_election_timeout(env: Environment, block: Block) -> None:
    """`set-randomized-election-timeout MEMBER timeout=TICKS`: until the next change of role."""
    timeout = number(block.option("timeout") or "0")
    if timeout <= 0:
        raise ScriptError("a timeout above 0 is needed")
    _member(env, block).set_election_timeout(timeout)


def stabilize(env: Environment, block: Block) -> None:
    """`stabilize [MEMBER…] [log-level=LEVEL]`: all running members where none is named."""
    level = env.output.level
    chosen = block.option("log-level")
    try:
        if chosen is not None:
            _set_level(env, chosen)
        running = [member.number for member in env.members if not member.crashed]
        env.stabilize(block.numbers() or running)
    finally:
        env.output.level = level


def status(env: Environment, block: Block) -> None:
    """`status MEMBER`: the progress of all members, on a leader."""
    env.output.write(describe.progress_map(_member(env, block).node.status().progress))


def tick_election(env: Environment, block: Block) -> None:
    """`tick-election MEMBER`"""
    member = _member(env, block)
    for _ in range(member.config.election_tick):
        member.node.tick()


def tick_heartbeat(env: Environment, block: Block) -> None:
    """`tick-heartbeat MEMBER`"""
    member = _member(env, block)
    for _ in range(member.config.heartbeat_tick):
        member.node.tick()


def transfer_leadership(env: Environment, block: Block) -> None:
    """`transfer-leadership from=MEMBER to=MEMBER`"""
    source, to = (number(block.option(key) or "0") for key in ("from", "to"))
    if not 1 <= to <= len(env.members):
        raise ScriptError(f"there is no member {to}")
    env.member(source).node.transfer_leader(to)


def forget_leader(env: Environment, block: Block) -> None:
    """`forget-leader MEMBER`"""
    _member(env, block).node.forget_leader()


def send_snapshot(env: Environment, block: Block) -> None:
    """`send-snapshot FROM TO`: queue a snapshot that the core did not ask for."""
    source, to = block.number(0), block.number(1)
    member = env.member(source)
    term = member.node.status().hard_state.term
    snapshot = member.images.latest
    message = Message(MessageType.SNAP, to=to, sender=source, term=term, snapshot=snapshot)
    env.messages.append(message)
    env.output.write(describe.message(message))


def propose(env: Environment, block: Block) -> None:
    """`propose MEMBER DATA`"""
    if len(block.arguments) != 2 or block.arguments[1].values:
        raise ScriptError("propose takes a member and one word")
    _member(env, block).node.propose(block.arguments[1].key.encode())


def propose_conf_change(env: Environment, block: Block) -> None:
    """`propose-conf-change MEMBER [v1=true] [transition=auto|implicit|explicit]`, changes below."""
    first_form = False
    transition = ConfChangeTransition.AUTO
    for key, values in block.arguments[1:]:
        for value in values:
            if key == "v1":
                first_form = boolean(block, value)
            elif key != "transition":
                raise HarnessError(f"unknown command {key}")
            elif value not in _TRANSITIONS:
                raise HarnessError(f"unknown transition {value}")
            else:
                transition = _TRANSITIONS[value]
    wanted = changes.parse(block.input)
    node = _member(env, block).node
    if not first_form:
        node.propose_conf_change(ConfChangeV2(transition, wanted))
        return
    if len(wanted) > 1 or transition is not ConfChangeTransition.AUTO:
        raise HarnessError("v1 conf change can only have one operation and no transition")
    if not wanted:
        raise ScriptError("a change is missing")
    node.propose_conf_change(ConfChange(wanted[0].type, wanted[0].node))


def report_unreachable(env: Environment, block: Block) -> None:
    """`report-unreachable MEMBER PEER`"""
    numbers = block.numbers()
    if len(numbers) != 2:
        raise HarnessError(
            "must specify exactly two node indexes: node on which to report, and reported node"
        )
    env.member(numbers[0]).node.report_unreachable(env.member(numbers[1]).number)


def breakpoint_here(_env: Environment, _block: Block) -> None:
    """`_breakpoint`: nothing; a place to stop at in a debugger."""


def _set_level(env: Environment, name: str) -> None:
    if name.upper() not in LEVELS:
        raise HarnessError(f"log levels must be either of [{' '.join(LEVELS)}]")
    env.output.level = name.upper()


def _member(env: Environment, block: Block) -> Member:
    return env.member(block.number(0))


def _each(env: Environment, block: Block, title: str, step: Callable[[int], None]) -> None:
    """Do a step of each named member, under headings where there are several."""
    members = block.numbers()
    for member in members:
        if len(members) > 1:
            env.titled(member, title, step)
        else:
            step(member)


COMMANDS: dict[str, Callable[[Environment, Block], None]] = {
    "_breakpoint": breakpoint_here,
    "add-nodes": add_nodes,
    "campaign": campaign,
    "compact": compact,
    "deliver-msgs": deliver_msgs,
    "forget-leader": forget_leader,
    "log-level": log_level,
    "process-append-thread": process_append_thread,
    "process-apply-thread": process_apply_thread,
    "process-ready": process_ready,
    "propose": propose,
    "propose-conf-change": propose_conf_change,
    "raft-log": raft_log,
    "raft-state": raft_state,
    "report-unreachable": report_unreachable,
    "send-snapshot": send_snapshot,
    "set-randomized-election-timeout": set_randomized_election_timeout,
    "stabilize": stabilize,
    "status": status,
    "tick-election": tick_election,
    "tick-heartbeat": tick_heartbeat,
    "transfer-leadership": transfer_leadership,
    **faults.COMMANDS,
}
