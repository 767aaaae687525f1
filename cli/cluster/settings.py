"""What `up` was asked for, where its files lie, and whether a later `up` may change it.

The settings of a cluster are kept in `<data dir>/up.json`: `up` without flags continues the
cluster that is there, and `down` knows what to take away.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import click

from holdfast.api.errors import ApiError, Reason

DATA_DIR = Path("/var/lib/holdfast")
NODES_MAX = 50  # each has a containerd of its own
HOLLOW_NODES_MAX = 5000
PORT = 6444  # 6443 is the REST gateway's
CONTROLS = (1, 3, 5)
OWN_STORE = "raft"
ETCD = "etcd://"
"""What the address of an etcd begins with."""
CONTROL_PORTS = 10
"""Between the ports of two control nodes."""
PORTS_MAX = 3
"""The last port of a control node is so many after its first."""

data_dir_flag = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    envvar="HOLDFAST_DATA_DIR",
    default=DATA_DIR,
    show_default=True,
    help="Where the cluster keeps everything.",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """One cluster on this machine. port: mutual TLS of the first control node; its token listener,
    /metrics and its peers' listener have the next ones. control: how many control nodes. store:
    where their state is, OWN_STORE = in themselves, or the address of an etcd."""

    data_dir: Path
    runtime: str = "containerd"  # or "hollow": simulated containers, for scale tests
    nodes: int = 1
    port: int = PORT
    control: int = 1
    store: str = OWN_STORE

    @property
    def tag(self) -> str:
        """Four hex digits that keep two clusters' namespaces and links apart."""
        return f"{zlib.crc32(str(self.data_dir).encode()) & 0xFFFF:04x}"

    @property
    def hollow(self) -> bool:
        return self.runtime == "hollow"

    @property
    def several(self) -> bool:
        """Several real nodes: each gets a network namespace."""
        return self.nodes > 1 and not self.hollow

    @property
    def node_names(self) -> list[str]:
        first = 0 if self.hollow else 1
        return [f"node-{number}" for number in range(first, self.nodes + first)]

    def control_dir(self, number: int) -> Path:
        """Of a control node, from 1 on."""
        return self.data_dir / ("control" if number == 1 else f"control-{number}")

    @property
    def on_etcd(self) -> bool:
        return self.store != OWN_STORE

    def control_port(self, number: int) -> int:
        """Its first port."""
        return self.port + CONTROL_PORTS * (number - 1)

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    @property
    def lock(self) -> Path:
        """Held by the supervisor while it runs; contains its process id."""
        return self.data_dir / "supervisor.lock"

    @property
    def kubeconfig(self) -> Path:
        return self.data_dir / "admin.kubeconfig"

    def node_dir(self, node: str) -> Path:
        return self.data_dir / "nodes" / node

    def containerd_socket(self, node: str) -> Path:
        return self.node_dir(node) / "containerd" / "containerd.sock"


def checked(settings: Settings) -> Settings:
    """The settings, or ApiError naming the flag that is wrong."""
    limit = HOLLOW_NODES_MAX if settings.hollow else NODES_MAX
    if not 1 <= settings.nodes <= limit:
        raise _wrong(f"--nodes must be between 1 and {limit}, not {settings.nodes}")
    if settings.control not in CONTROLS:
        raise _wrong(f"--control must be 1, 3 or 5, not {settings.control}")
    if settings.on_etcd and not settings.store.startswith(ETCD):
        raise _wrong(f"--store must be {OWN_STORE} or begin with {ETCD}, not {settings.store}")
    highest = 65535 - PORTS_MAX - CONTROL_PORTS * (settings.control - 1)
    if not 1 <= settings.port <= highest:
        raise _wrong(f"--port must be between 1 and {highest}, not {settings.port}")
    # A Unix socket's path holds at most 107 bytes, and containerd's shims put theirs below it.
    if len(str(settings.data_dir)) > 60:
        raise _wrong(f"--data-dir may have at most 60 characters: {settings.data_dir}")
    return settings


def load(data_dir: Path) -> Settings | None:
    """The settings a cluster was started with, None where there is none.

    Raises ApiError when the directory holds something else.
    """
    path = data_dir / "up.json"
    try:
        kept = json.loads(path.read_text())
        known = {field.name for field in fields(Settings)} - {"data_dir", "control", "store"}
        given = {name: kept[name] for name in known}
        later = {"control": kept.get("control", 1), "store": kept.get("store", OWN_STORE)}
        return Settings(data_dir, **later, **given)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise _wrong(f"{path} is not a settings file of holdfast: {error}") from None


def save(settings: Settings) -> None:
    """Keep the settings beside the data."""
    kept = asdict(settings)
    del kept["data_dir"]
    (settings.data_dir / "up.json").write_text(json.dumps(kept, indent=2) + "\n")


def merged(
    kept: Settings | None,
    data_dir: Path,
    runtime: str | None,
    nodes: int | None,
    port: int | None,
    control: int | None = None,
    store: str | None = None,
) -> Settings:
    """What an `up` means, given what the data directory says. None: the flag was not given.

    Raises ApiError when it would turn a cluster of containers into a simulated one, or leave
    control nodes out.
    """
    base = kept or Settings(data_dir)
    if kept and runtime and runtime != kept.runtime:
        raise _wrong(
            f"{data_dir} holds a cluster with --runtime {kept.runtime}: "
            f"remove it first (holdfast down --purge) or choose another --data-dir"
        )
    if kept and not kept.hollow and nodes and (nodes > 1) != (kept.nodes > 1):
        raise _wrong(
            f"{data_dir} holds a cluster of {kept.nodes} node(s): one node uses this machine's "
            f"network, several have namespaces; remove it first or choose another --data-dir"
        )
    if kept and kept.control > 1 and port and port != kept.port:
        raise _wrong(
            f"{data_dir} holds {kept.control} control nodes that know each other by their ports: "
            f"--port stays {kept.port}"
        )
    if kept and control and control < kept.control:
        raise _wrong(
            f"{data_dir} holds a cluster of {kept.control} control nodes: "
            f"it can get more of them here, not fewer"
        )
    return checked(
        replace(
            base,
            runtime=runtime or base.runtime,
            nodes=nodes or base.nodes,
            port=port or base.port,
            control=base.control if control is None else control,
            store=store or base.store,
        )
    )


def _wrong(message: str) -> ApiError:
    return ApiError(Reason.BAD_REQUEST, message)
