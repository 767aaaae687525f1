"""Ask a container once whether it is well: over HTTP, TCP, or by a command inside it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.runtime.interface import Fault, Runtime, RuntimeFault

HEAD_BYTES_MAX = 16 << 10
OUTPUT_CHARACTERS_MAX = 1000
USER_AGENT = "kube-probe/1.0 (holdfast)"
Answer = tuple[bool, str]


async def ask(
    runtime: Runtime, container_id: str, container: core.Container, probe: core.Probe, ip: str
) -> Answer:
    """Whether it is well, and if not, why. ip: the pod's address."""
    handler, timeout_s = probe.handler, float(probe.timeoutSeconds or 1)
    if handler.HasField("exec"):
        command = tuple(handler.exec.command)
        return await _ask_command(runtime, container_id, command, timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            if handler.HasField("httpGet"):
                return await _ask_http(handler.httpGet, container, ip)
            if handler.HasField("tcpSocket"):
                return await _ask_tcp(handler.tcpSocket, container, ip)
    except TimeoutError:
        return False, f"no answer within {timeout_s:g} s"
    return False, "its kind of probe is not built"


async def _ask_command(
    runtime: Runtime, container_id: str, command: tuple[str, ...], timeout_s: float
) -> Answer:
    try:
        result = await runtime.exec_sync(container_id, command, timeout_s)
    except RuntimeFault as fault:
        if fault.fault is Fault.TIMEOUT:
            return False, f"command timed out after {timeout_s:g} s"
        return False, fault.message
    if result.exit_code == 0:
        return True, ""
    output = (result.stdout + result.stderr).decode(errors="replace").strip()
    return False, output[:OUTPUT_CHARACTERS_MAX] or f"command ended with {result.exit_code}"


def port_of(port_field: object, container: core.Container) -> int:
    """The number of a port given as number or as the name of one of the container's; 0 = none."""
    number = int(getattr(port_field, "intVal", 0))
    name = str(getattr(port_field, "strVal", ""))
    if name.isdigit():
        return int(name)
    if name:
        named = (port.containerPort for port in container.ports if port.name == name)
        return next(named, 0)
    return number


async def _ask_tcp(action: core.TCPSocketAction, container: core.Container, ip: str) -> Answer:
    host, port = action.host or ip, port_of(action.port, container)
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        return False, f"dial tcp {host}:{port}: connect: {_words(error)}"
    writer.transport.abort()
    return True, ""


async def _ask_http(action: core.HTTPGetAction, container: core.Container, ip: str) -> Answer:
    host, port = action.host or ip, port_of(action.port, container)
    path = action.path if action.path.startswith("/") else "/" + action.path
    secure = action.scheme == "HTTPS"
    url = f"{'https' if secure else 'http'}://{host}:{port}{path}"
    try:
        reader, writer = await asyncio.open_connection(
            host, port, ssl=_unverified() if secure else None, limit=HEAD_BYTES_MAX
        )
    except OSError as error:
        return False, f'Get "{url}": dial tcp {host}:{port}: connect: {_words(error)}'
    try:
        writer.write(_request(action, host, port, path))
        line = await reader.readline()
    except (OSError, ValueError) as error:
        return False, f'Get "{url}": {error}'
    finally:
        writer.transport.abort()
    words = line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return False, f'Get "{url}": the answer is not HTTP'
    code = int(words[1])
    if 200 <= code < 400:
        return True, ""
    return False, f"HTTP probe failed with statuscode: {code}"


def _request(action: core.HTTPGetAction, host: str, port: int, path: str) -> bytes:
    headers = {"Host": f"{host}:{port}", "User-Agent": USER_AGENT, "Accept": "*/*"}
    for header in action.httpHeaders:
        headers[header.name] = header.value
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


def _unverified() -> ssl.SSLContext:
    """Probes do not check certificates (Kubernetes): they ask their own pod."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _words(error: OSError) -> str:
    with contextlib.suppress(AttributeError):
        if error.errno == 111:
            return "connection refused"
        return (error.strerror or str(error)).lower()
    return str(error)
