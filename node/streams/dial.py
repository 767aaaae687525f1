"""Answer tickets: dial one stream back for each and serve logs or exec on it.

The stream opens at once, also when the request cannot be served, because the refusal travels on
it: the client must hear why and not wait for a time-out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
import grpc.aio
import structlog

from holdfast.api.client import Client
from holdfast.api.errors import ApiError, Reason, to_status
from holdfast.api.rpc.v1 import sessions_pb2 as wire
from holdfast.api.rpc.v1 import sessions_pb2_grpc
from holdfast.node.agent.tools import Tools
from holdfast.node.machine.containers import ContainerRecord, Stage
from holdfast.node.machine.pod import PodMachine
from holdfast.node.specs import building
from holdfast.node.streams import exec as commands
from holdfast.node.streams.logs import Reader, Wanted
from holdfast.runtime.interface import RuntimeFault

STREAMS_MAX = 256
FRAME_BYTES_MAX = 64 << 10
FRAMES_WAITING_MAX = 16

log = structlog.get_logger()


class Stream:
    """The node's end of a dialled stream.

    One task (`pump`) reads for the whole call: in grpc.aio, cancelling a read cancels the call,
    and with it what is on its way to the client.
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self._frames: asyncio.Queue[wire.Frame | None] = asyncio.Queue(FRAMES_WAITING_MAX)
        self._listening = True

    async def write(self, frame: wire.Frame) -> None:
        """Send a frame to the client."""
        await self._call.write(frame)

    async def read(self) -> wire.Frame | None:
        """The client's next frame; None when it has ended."""
        return await self._frames.get()

    async def pump(self) -> None:
        """Read until the call ends, which the client's end of it does."""
        while isinstance(frame := await self._call.read(), wire.Frame):
            if self._listening:
                await self._frames.put(frame)
        if self._listening:
            await self._frames.put(None)

    def ignore(self) -> None:
        """Nobody reads any more: what still comes is dropped."""
        self._listening = False
        while not self._frames.empty():
            self._frames.get_nowait()


Perform = Callable[[wire.Ticket, Stream], Awaitable[None]]


async def serve(client: Client, ticket: wire.Ticket, perform: Perform) -> None:
    """Dial a stream for a ticket, have it performed there, and hold it until its end.

    perform: gets the ticket and the stream, and is cancelled when the client goes; its ApiError
    is what the client hears.
    """
    stub: Any = sessions_pb2_grpc.SessionsStub(client.channel)
    call = stub.Dial(metadata=client.metadata())
    stream = Stream(call)
    try:
        await call.write(wire.Frame(ticket=ticket.id))
        reading = asyncio.create_task(stream.pump())
        performing = asyncio.ensure_future(perform(ticket, stream))
        reading.add_done_callback(lambda _reading: performing.cancel())
        try:
            await performing
        except ApiError as error:
            await call.write(wire.Frame(error=to_status(error).SerializeToString()))
        except asyncio.CancelledError:
            if not reading.done():
                raise
        await call.done_writing()
        stream.ignore()
        await reading  # what is on its way must not be cut off
    except grpc.aio.AioRpcError as error:
        log.info("stream ended", why=error.details())
    finally:
        call.cancel()


class Dialler:
    """Serves tickets over one client's connection."""

    def __init__(self, client: Client, tools: Tools, machines: Mapping[str, PodMachine]) -> None:
        self._client = client
        self._tools = tools
        self._machines = machines
        self._tasks: set[asyncio.Task[None]] = set()

    def answer(self, ticket: wire.Ticket) -> None:
        """Begin to serve a ticket."""
        if len(self._tasks) >= STREAMS_MAX:
            log.warning("too many streams, a ticket is not answered", streams=len(self._tasks))
            return
        serving = serve(self._client, ticket, self._perform)
        task = asyncio.get_running_loop().create_task(serving)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """End every stream."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _perform(self, ticket: wire.Ticket, stream: Stream) -> None:
        try:
            if ticket.HasField("logs"):
                await self._logs(ticket.logs, stream)
            elif ticket.HasField("exec"):
                await self._exec(ticket.exec, stream)
            else:
                raise ApiError(Reason.NOT_BUILT, "this node does not know such a request")
        except RuntimeFault as fault:
            raise commands.refusal(fault) from None
        except OSError as error:
            raise ApiError(Reason.INTERNAL, f"cannot read the log: {error.strerror}") from None

    def _find(
        self, request: wire.LogsRequest | wire.ExecRequest
    ) -> tuple[PodMachine, ContainerRecord]:
        machine = self._machines.get(request.uid)
        if machine is None:
            raise ApiError(Reason.NOT_FOUND, f'pod "{request.pod}" is not on this node')
        name = request.container
        if not name:
            name = machine.containers[0].name
        record = machine.find(name)
        if record is None:
            message = f"container {name} is not valid for pod {request.pod}"
            raise ApiError(Reason.BAD_REQUEST, message)
        return machine, record

    async def _logs(self, request: wire.LogsRequest, stream: Stream) -> None:
        machine, record = self._find(request)
        attempt = record.restarts
        if request.previous:
            attempt -= 1
        elif record.stage is not Stage.RUNNING and record.ended is None:
            reason = record.wait_reason or "ContainerCreating"
            message = (
                f'container "{record.name}" in pod "{request.pod}" is waiting to start: {reason}'
            )
            raise ApiError(Reason.BAD_REQUEST, message)
        directory = self._tools.place.log_directory(machine.pod)
        path = directory / building.log_name(record.name, max(attempt, 0))
        wanted = Wanted(
            tail=request.tail_lines if request.HasField("tail_lines") else None,
            since=time.time() - request.since_s if request.HasField("since_s") else 0.0,
            timestamps=request.timestamps,
            limit_bytes=request.limit_bytes if request.HasField("limit_bytes") else None,
            follow=request.follow,
        )

        def over() -> bool:
            return record.stage is not Stage.RUNNING or record.restarts != attempt

        try:
            if attempt < 0:
                raise FileNotFoundError(path)
            async for piece in Reader(path, wanted, over).pieces():
                for start in range(0, len(piece), FRAME_BYTES_MAX):
                    data = piece[start : start + FRAME_BYTES_MAX]
                    await stream.write(wire.Frame(channel=wire.STDOUT, data=data))
        except FileNotFoundError:
            if not request.previous:
                return
            message = (
                f'previous terminated container "{record.name}" in pod "{request.pod}" not found'
            )
            raise ApiError(Reason.BAD_REQUEST, message) from None

    async def _exec(self, request: wire.ExecRequest, stream: Stream) -> None:
        _, record = self._find(request)
        if record.stage is not Stage.RUNNING:
            message = f'container "{record.name}" of pod "{request.pod}" is not running'
            raise ApiError(Reason.BAD_REQUEST, message)
        await commands.serve(self._tools.runtime, record.id, request, stream)
