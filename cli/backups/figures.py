"""What `backup inspect` shows of a file: for people, and as JSON. The file is read whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from holdfast.api.backup.reading import DamagedError, Summary, summarize
from holdfast.api.errors import ApiError, Reason
from holdfast.cli.output.table import lines


def inspect(path: Path) -> Summary:
    """The figures of a file that is proven whole. Raises ApiError naming what is wrong."""
    try:
        with path.open("rb") as file:
            return summarize(file)
    except DamagedError as error:
        raise ApiError(Reason.BAD_REQUEST, f"{path} {error}") from None
    except OSError as error:
        raise ApiError(Reason.BAD_REQUEST, f"{path}: {error.strerror}") from None


def page(path: Path, summary: Summary) -> list[str]:
    """Lines for a terminal."""
    header = summary.header
    rows = [
        ["File", str(path)],
        ["Cluster", header.cluster_id],
        ["Revision", str(header.revision)],
        ["Taken", f"{_taken(summary):%Y-%m-%d %H:%M:%S} UTC"],
        ["Version", header.version],
        ["Size", size(summary.bytes)],
        ["Objects", str(summary.objects)],
        ["SHA-256", f"{summary.sha256} (verified)"],
    ]
    counts = [[resource, str(count)] for resource, count in summary.counts.items()]
    return [*lines([], rows), "", *lines(["RESOURCE", "OBJECTS"], counts)]


def tree(path: Path, summary: Summary) -> dict[str, Any]:
    """The same for `-o json`. The authority's key is not shown."""
    header = summary.header
    return {
        "file": str(path),
        "clusterID": header.cluster_id,
        "revision": header.revision,
        "createdAt": f"{_taken(summary):%Y-%m-%dT%H:%M:%SZ}",
        "version": header.version,
        "bytes": summary.bytes,
        "objects": summary.objects,
        "resources": summary.counts,
        "sha256": summary.sha256,
        "verified": True,
    }


def size(total_bytes: int) -> str:
    """ "812 bytes", "55.5 kB", "218.3 MB"."""
    if total_bytes < 1_000:
        return f"{total_bytes} bytes"
    for unit, factor in (("kB", 1e3), ("MB", 1e6)):
        if total_bytes < factor * 1_000:
            return f"{total_bytes / factor:.1f} {unit}"
    return f"{total_bytes / 1e9:.1f} GB"


def _taken(summary: Summary) -> datetime:
    return datetime.fromtimestamp(summary.header.created_at_ms / 1000, UTC)
