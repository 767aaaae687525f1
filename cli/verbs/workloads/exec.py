"""`holdfast exec [-it] POD -- COMMAND`: run a command in a container; its exit code is ours."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import completing, pods, session
from holdfast.cli.session import Target

if TYPE_CHECKING:
    from holdfast.api.client import Client


@click.command("exec", context_settings={"ignore_unknown_options": False})
@click.argument("word", shell_complete=completing.names_of("pods"))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@session.flags
@click.option("-c", "--container", default="", help="Else the first one.")
@click.option("-i", "--stdin", is_flag=True, help="Hand on standard input.")
@click.option("-t", "--tty", is_flag=True, help="With a terminal in the container.")
def command(target: Target, word: str, arguments: tuple[str, ...], **given: Any) -> None:
    """Run a command in a container of POD or deployment/NAME: `exec -it web-1 -- sh`."""
    if not arguments:
        raise click.UsageError("say which command: holdfast exec POD -- COMMAND")
    if given["tty"] and not sys.stdin.isatty():
        click.echo("Unable to use a TTY - input is not a terminal", err=True)
        given["tty"] = False
    codes: list[int] = []

    async def work(client: Client) -> None:
        pod = await pods.chosen(client, word, target.namespace)
        codes.append(await _run(client, pod, arguments, given))

    session.run(target, work)
    sys.exit(codes[0])


async def _run(client: Client, pod: Any, arguments: tuple[str, ...], given: dict[str, Any]) -> int:
    """The exit code of the command. Raises ApiError when the connection breaks before it ends."""
    from holdfast.api.rpc.v1 import sessions_pb2
    from holdfast.cli import streams, terminal

    stdin, tty = given["stdin"], given["tty"]
    request = sessions_pb2.ExecRequest(
        namespace=pod.metadata.namespace,
        pod=pod.metadata.name,
        container=pods.container(pod, given["container"]),
        command=arguments,
        stdin=stdin,
        tty=tty,
    )
    frames = terminal.frames(stdin=stdin, resizes=tty)
    code = None
    with terminal.raw() if tty and stdin else contextlib.nullcontext():
        async for frame in streams.execute(client, request, frames):
            output = sys.stderr if frame.channel == sessions_pb2.STDERR else sys.stdout
            output.buffer.write(frame.data)
            output.buffer.flush()
            if frame.HasField("exit_code"):
                code = frame.exit_code
    if code is None:
        raise ApiError(Reason.UNAVAILABLE, "the connection to the container was lost")
    if code:
        click.echo(f"command terminated with exit code {code}", err=True)
    return code
