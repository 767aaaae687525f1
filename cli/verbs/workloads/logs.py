"""`holdfast logs`: what containers wrote; -f follows, -l takes every pod of a selector."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from holdfast.api.errors import ApiError, Reason
from holdfast.cli import completing, session
from holdfast.cli.session import Target
from holdfast.cli.waiting import length

if TYPE_CHECKING:
    from holdfast.api.client import Client
    from holdfast.api.rpc.v1 import sessions_pb2

STREAMS_MAX = 20
SELECTOR_TAIL = 10


@click.command("logs")
@click.argument("word", required=False, default="", shell_complete=completing.names_of("pods"))
@click.argument("container_word", required=False, default="")
@session.flags
@click.option("-c", "--container", default="", help="Else the first one.")
@click.option("-f", "--follow", is_flag=True, help="Stay and print what comes.")
@click.option("-p", "--previous", is_flag=True, help="Of the container before its restart.")
@click.option("--since", type=length, help="Only younger than this: 10s, 5m, 2h.")
@click.option("--tail", type=int, help="Only the last lines; -1: all.")
@click.option("--timestamps", is_flag=True, help="Begin each line with its time.")
@click.option("--limit-bytes", type=click.IntRange(min=1), help="At most this much.")
@click.option("-l", "--selector", default="", help="Every pod with these labels.")
@click.option("--all-containers", is_flag=True, help="Init containers, too.")
@click.option("--prefix", is_flag=True, help="Begin each line with pod and container.")
def command(target: Target, word: str, container_word: str, **given: Any) -> None:
    """Print the log of a container of POD, deployment/NAME or -l SELECTOR."""
    if bool(word) == bool(given["selector"]):
        raise click.UsageError("name a pod (or deployment/NAME) or give -l SELECTOR")
    if given["all_containers"] and (given["container"] or container_word):
        raise click.UsageError("--all-containers and -c do not go together")
    given["container"] = given["container"] or container_word
    tail = given["tail"]
    if tail is None and given["selector"]:
        tail = SELECTOR_TAIL
    given["tail"] = None if tail is None or tail < 0 else tail
    session.run(target, lambda client: _show(client, target, word, given))


async def _show(client: Client, target: Target, word: str, given: dict[str, Any]) -> None:
    from holdfast.cli import pods

    if given["selector"]:
        listed = await client.list("pods", target.namespace, labels=given["selector"])
        found = listed.objects
        if not found:
            click.echo(f"No resources found in {target.namespace} namespace.", err=True)
    else:
        found = [await pods.chosen(client, word, target.namespace)]
    wanted = [(pod, name) for pod in found for name in _containers(pod, given)]
    if given["follow"] and len(wanted) > STREAMS_MAX:
        message = f"{len(wanted)} logs match, at most {STREAMS_MAX} can be followed: narrow it down"
        raise ApiError(Reason.BAD_REQUEST, message)
    if given["follow"]:
        await asyncio.gather(*(_copy(client, pod, name, given) for pod, name in wanted))
    else:
        for pod, name in wanted:
            await _copy(client, pod, name, given)


def _containers(pod: Any, given: dict[str, Any]) -> list[str]:
    from holdfast.cli import pods

    if given["all_containers"]:
        return [c.name for c in (*pod.spec.initContainers, *pod.spec.containers)]
    return [pods.container(pod, given["container"])]


def _request(pod: Any, container: str, given: dict[str, Any]) -> sessions_pb2.LogsRequest:
    from holdfast.api.rpc.v1 import sessions_pb2

    return sessions_pb2.LogsRequest(
        namespace=pod.metadata.namespace,
        pod=pod.metadata.name,
        container=container,
        follow=given["follow"],
        previous=given["previous"],
        timestamps=given["timestamps"],
        tail_lines=given["tail"],
        since_s=int(given["since"]) if given["since"] else None,
        limit_bytes=given["limit_bytes"],
    )


async def _copy(client: Client, pod: Any, container: str, given: dict[str, Any]) -> None:
    """Print one log; with --prefix line by line, else as it comes."""
    from holdfast.cli import streams

    output = sys.stdout.buffer
    prefix = f"[pod/{pod.metadata.name}/{container}] ".encode() if given["prefix"] else b""
    rest = b""
    async for data in streams.logs(client, _request(pod, container, given)):
        if not prefix:
            output.write(data)
        else:
            *whole, rest = (rest + data).split(b"\n")
            output.writelines(prefix + line + b"\n" for line in whole)
        output.flush()
    if rest:
        output.write(prefix + rest + b"\n")
        output.flush()
