"""What a call costs on our transport, against grpc.aio in the same run: `bin/bench transport`.

A server process and a client process of each make, mutual TLS between them, 8 connections: unary
calls (1000 bytes there, 80 back, 64 under way) and messages there and back on 400 streams. Each
figure is CPU time of one process a call, in µs; the ratios are grpc.aio's cost over ours.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.figures import emit
from holdfast.api.transport import security
from holdfast.api.transport.channel import Channel
from holdfast.api.transport.server import Server

RUNS = 3
CALLS = 4_000
CHANNELS, UNDER_WAY, STREAMS = 8, 64, 400


def certify(folder: Path) -> None:
    """One certificate that is its own CA, for both ends."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(private)


def pems(folder: Path) -> tuple[bytes, bytes]:
    """The certificate and its key."""
    return (folder / "cert.pem").read_bytes(), (folder / "key.pem").read_bytes()


async def unary(data: bytes, _context: Any) -> bytes:
    """The reply to "cpu" is what this process has used, in seconds."""
    return str(time.process_time()).encode() if data == b"cpu" else bytes(80)


async def talk(_requests: Any, context: Any) -> None:
    """A short answer to each message."""
    while await context.read() is not grpc.aio.EOF:
        await context.write(bytes(40))


async def serve(make: str, folder: Path) -> None:
    """Serve until the end of the process; prints the address."""
    methods = {
        "U": grpc.unary_unary_rpc_method_handler(unary),
        "B": grpc.stream_stream_rpc_method_handler(talk),
    }
    handlers = (grpc.method_handlers_generic_handler("S", methods),)
    certificate, key = pems(folder)
    if make == "ours":
        server: Any = Server()
        server.add_generic_rpc_handlers(handlers)
        shown = security.showing(certificate, certificate, key)
        tls = security.server(certificate, lambda: shown, client_certificate=True)
        address = await server.listen("127.0.0.1:0", tls)
    else:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers(handlers)
        credentials = grpc.ssl_server_credentials([(key, certificate)], certificate, True)
        address = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
        await server.start()
    print(address, flush=True)
    await server.wait_for_termination()


def channel(make: str, address: str, folder: Path) -> Any:
    """A connection of its own."""
    certificate, key = pems(folder)
    if make == "ours":
        return Channel(address, security.client(certificate, certificate, key))
    credentials = grpc.ssl_channel_credentials(certificate, key, certificate)
    own = [("grpc.use_local_subchannel_pool", 1)]
    return grpc.aio.secure_channel(address, credentials, options=own)


async def load(make: str, address: str, folder: Path) -> None:
    """Call, and print µs a call: server and client, unary and messages."""
    channels = [channel(make, address, folder) for _ in range(CHANNELS)]
    methods = [one.unary_unary("/S/U") for one in channels]

    async def ask(number: int) -> None:
        for _ in range(CALLS // UNDER_WAY):
            await methods[number % CHANNELS](bytes(1000))

    async def chat(number: int) -> None:
        call = channels[number % CHANNELS].stream_stream("/S/B")()
        for _ in range(CALLS // STREAMS):
            await call.write(bytes(60))
            await call.read()
        call.cancel()

    async def cost(work: Any, count: int) -> tuple[float, float]:
        there, here = float(await methods[0](b"cpu")), time.process_time()
        await asyncio.gather(*(work(number) for number in range(count)))
        here = time.process_time() - here
        there = float(await methods[0](b"cpu")) - there
        return there * 1e6 / CALLS, here * 1e6 / CALLS

    await asyncio.gather(*(method(b"") for method in methods))
    print(*await cost(ask, UNDER_WAY), *await cost(chat, STREAMS))
    await asyncio.gather(*(one.close() for one in channels))


def measured(server_make: str, client_make: str, folder: Path) -> list[float]:
    """µs a call: unary at the server and the client, then messages."""
    module = [sys.executable, "-m", "bench.transport"]
    command = [*module, "serve", server_make, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            address = server.stdout.readline().strip()
            command = [*module, "load", client_make, str(folder), address]
            found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        finally:
            server.terminate()
    return [float(word) for word in found.stdout.split()]


def compare(folder: Path) -> None:
    """Every figure, both makes taking turns, and the ratios."""
    wanted = [("ours", "ours"), ("grpcio", "grpcio"), ("ours", "grpcio")]
    runs = [[measured(server, client, folder) for server, client in wanted] for _ in range(RUNS)]
    names = ["unary.server", "unary.client", "message.server", "message.client"]
    for index, name in enumerate(names):
        ours, theirs, mixed = ([run[make][index] for run in runs] for make in range(3))
        emit(f"transport.{name}_us", ours, "us")
        emit(f"transport.{name}_us.grpc_aio", theirs, "us")
        ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
        emit(f"transport.{name}_ratio", ratios, "grpc.aio / ours")
        if name.endswith("server"):
            emit(f"transport.{name}_us.grpc_client", mixed, "us")


def main() -> None:
    """Without arguments the bench; with them one of its processes."""
    if len(sys.argv) == 1:
        with tempfile.TemporaryDirectory() as name:
            certify(Path(name))
            compare(Path(name))
        return
    what, make, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if what == "serve":
        uvloop.run(serve(make, folder))
    else:
        uvloop.run(load(make, sys.argv[4], folder))


if __name__ == "__main__":
    main()
