"""The members of one script, the messages between them, and the rounds of their work.

Nothing happens by itself: a command says which member does its next piece of work, or which
messages arrive. Messages wait in one queue, in the order in which they were sent. In synchronous
mode a round persists, applies and sends at once; in asynchronous mode the storage messages wait
with the member until its append or apply thread is told to process one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from holdfast.control.raft.errors import StepError, StorageError
from holdfast.control.raft.messages import (
    LOCAL_TARGETS,
    NO_LIMIT,
    HardState,
    Message,
    MessageType,
)
from tests.control.raft.scripts import describe
from tests.control.raft.scripts.datadriven import ScriptError
from tests.control.raft.scripts.interaction.logs import Logs
from tests.control.raft.scripts.interaction.members import Member
from tests.control.raft.scripts.interaction.output import Output

ROUNDS_MAX = 10_000
"""A script that has not come to rest after so many rounds never will."""


class Environment:
    """All that a script acts on."""

    def __init__(self, logs: Logs) -> None:
        self.logs = logs
        self.members: list[Member] = []
        self.messages: list[Message] = []
        self.output = Output()

    def member(self, number: int) -> Member:
        """Return the running member of that id.

        Raises:
            ScriptError: there is none, or it has crashed.
        """
        member = self.running_or_crashed(number)
        if member.crashed:
            raise ScriptError(f"member {number} has crashed")
        return member

    def running_or_crashed(self, number: int) -> Member:
        """Return the member of that id, for what is durable of it.

        Raises:
            ScriptError: there is none.
        """
        if not 1 <= number <= len(self.members):
            raise ScriptError(f"there is no member {number}")
        return self.members[number - 1]

    def process_ready(self, number: int) -> None:
        """Perform the member's next round of work."""
        member = self.member(number)
        work = member.node.ready()
        self.output.write(describe.ready(work))
        if not member.asynchronous:
            state = work.hard_state or HardState()
            member.persist(state, work.entries, work.snapshot)
            member.apply(work.committed_entries)
        for message in work.messages:
            if message.to not in LOCAL_TARGETS:
                self.messages.append(message)
            elif not member.asynchronous:
                raise ScriptError(f"member {number} wrote to its storage by message")
            elif message.type is MessageType.STORAGE_APPEND:
                member.append_work.append(message)
            else:
                member.apply_work.append(message)
        if not member.asynchronous:
            member.node.advance()

    def process_append_thread(self, number: int) -> None:
        """Write what the member's oldest append message says, and send its responses."""
        member = self.member(number)
        if not member.append_work:
            self.output.write("no append work to perform")
            return
        message = member.append_work.popleft()
        self._begin(message)
        state = HardState(message.term, message.vote, message.commit)
        member.persist(state, message.entries, message.snapshot)
        self._respond(message)

    def process_apply_thread(self, number: int) -> None:
        """Apply what the member's oldest apply message says, and send its responses."""
        member = self.member(number)
        if not member.apply_work:
            self.output.write("no apply work to perform")
            return
        message = member.apply_work.popleft()
        self._begin(message)
        member.apply(message.entries)
        self._respond(message)

    def _begin(self, message: Message) -> None:
        self.output.write(f"Processing:\n{describe.message(replace(message, responses=()))}\n")

    def _respond(self, message: Message) -> None:
        self.output.write("Responses:\n")
        for response in message.responses:
            self.output.write(f"{describe.message(response)}\n")
        self.messages += message.responses

    def waiting(
        self, to: int, kind: MessageType | None = None, spare_local: bool = False
    ) -> list[Message]:
        """Return the messages to a member, in order.

        Args:
            to: the member.
            kind: only those of the type; None for all.
            spare_local: leave out what never goes over the network and cannot get lost.
        """
        return self._split(to, kind, spare_local)[0]

    def deliver(self, to: int, kind: MessageType | None = None) -> int:
        """Deliver the waiting messages to a member and return how many there were."""
        taken, self.messages = self._split(to, kind, spare_local=False)
        for message in taken:
            self.output.write(f"{describe.message(message)}\n")
            try:
                self.member(to).node.step(message)
            except (StepError, StorageError) as error:
                self.output.write(f"{error}\n")
        return len(taken)

    def drop(self, to: int, kind: MessageType | None = None) -> int:
        """Lose the waiting messages to a member (that may not exist), return their number."""
        taken, self.messages = self._split(to, kind, spare_local=True)
        for message in taken:
            self.output.write(f"dropped: {describe.message(message)}\n")
        return len(taken)

    def _split(
        self, to: int, kind: MessageType | None, spare_local: bool
    ) -> tuple[list[Message], list[Message]]:
        """Return the messages that are meant (see `waiting`), and all others."""
        meant: list[Message] = []
        others: list[Message] = []
        for message in self.messages:
            fits = message.to == to and (kind is None or message.type is kind)
            fits = fits and not (spare_local and is_local(message))
            (meant if fits else others).append(message)
        return meant, others

    def stabilize(self, numbers: Sequence[int]) -> None:
        """Let the members work and their messages arrive until nothing is left to do.

        Raises:
            ScriptError: they do not come to rest.
        """
        for _ in range(ROUNDS_MAX):
            work = [self._ready, self._receive, self._append, self._apply]
            busy = [[step(number) for number in numbers] for step in work]
            if not any(any(step) for step in busy):
                return
        raise ScriptError(f"the members do not come to rest in {ROUNDS_MAX} rounds")

    def _ready(self, number: int) -> bool:
        if not self.member(number).node.has_ready():
            return False
        self.titled(number, "handling Ready", self.process_ready)
        return True

    def _receive(self, number: int) -> bool:
        if not self.waiting(number):
            return False
        self.titled(number, "receiving messages", self.deliver)
        return True

    def _append(self, number: int) -> bool:
        work = self.member(number).append_work
        return self._drain(number, work, "processing append thread", self.process_append_thread)

    def _apply(self, number: int) -> bool:
        work = self.member(number).apply_work
        return self._drain(number, work, "processing apply thread", self.process_apply_thread)

    def _drain(
        self, number: int, work: Sequence[Message], title: str, step: Callable[[int], None]
    ) -> bool:
        if not work:
            return False
        self.output.write(f"> {number} {title}\n")
        while work:
            with self.output.indented():
                step(number)
        return True

    def titled(self, number: int, title: str, step: Callable[[int], object]) -> None:
        """Do a step of one member under a heading, indented."""
        self.output.write(f"> {number} {title}\n")
        with self.output.indented():
            step(number)

    def raft_log(self, number: int) -> None:
        """Print the member's log as it is durable."""
        log = self.running_or_crashed(number).log.reads
        first, last = log.first_index(), log.last_index()
        if last < first:
            self.output.write(f"log is empty: first index={first}, last index={last}")
            return
        self.output.write(describe.entries(log.entries(first, last + 1, NO_LIMIT)))


def is_local(message: Message) -> bool:
    """Whether the message stays within one member: it arrives, and in order."""
    return message.sender == message.to or message.sender in LOCAL_TARGETS
