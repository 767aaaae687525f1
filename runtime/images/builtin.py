"""What is in the images that ship with Holdfast: `pause` holds a pod's namespaces, `demo` is the
tour's web server. Pure module: busybox and its list of applets are arguments.
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.runtime.images.archive import Config, Entry, write

PAUSE = "localhost/holdfast-pause:1"
DEMO = "localhost/holdfast-demo:1"
DEMO_PORT = 8080
DRAIN_S = 1
_OURS = ("busybox", "wget")

# PID 1 gets no signal it has no handler for, so both scripts set one; `wait` returns at once
# when a trapped signal arrives and reaps every child, adopted ones too.
_PAUSE_SCRIPT = """#!/bin/sh
trap 'exit 0' TERM INT
while :; do sleep 2147483 & wait; done
"""

# A file and not a program answers: httpd forks for each connection anyway, and starting a shell for
# each costs twenty times as much.
_DEMO_SCRIPT = f"""#!/bin/sh
# Serves on for {DRAIN_S} s after SIGTERM: a request that was on its way to us still gets an answer.
mkdir -p /tmp/www && hostname >/tmp/www/index.html || exit 1
httpd -f -p {DEMO_PORT} -h /tmp/www &
server=$!
trap 'sleep {DRAIN_S}; kill $server; exit 0' TERM INT
wait $server
"""

# Debian's busybox-static crashes in its own wget (getaddrinfo of a static glibc), so the image has
# this one: wget [-q] [-S] [-O FILE] [-T SECONDS] URL, over the nc that works.
_WGET = """#!/bin/sh
output= timeout=30
while getopts qSO:T: flag; do
    case $flag in
    O) output=$OPTARG ;;
    T) timeout=$OPTARG ;;
    q | S) ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
case ${1:-} in
http://*) rest=${1#http://} ;;
*://* | '') echo "usage: wget [-q] [-O FILE] [-T SECONDS] http://HOST[:PORT]/PATH" >&2; exit 2 ;;
*) rest=$1 ;;
esac
authority=${rest%%/*}
path=/${rest#"$authority"}
path=/${path#//}
host=${authority%%:*}
port=${authority#"$host"}
port=${port#:}
: "${output:=$(basename "$path")}"
case $output in /) output=index.html ;; esac
get() {
    printf 'GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n' "$path" "$authority" |
        timeout "$timeout" nc -w "$timeout" "$host" "${port:-80}"
}
get | {
    read -r _ code reason || { echo "wget: no answer from $authority" >&2; exit 1; }
    case $code in
    2*) ;;
    *) echo "wget: server returned error: $code $reason" >&2; exit 1 ;;
    esac
    while read -r line && [ "$line" != "$(printf '\r')" ] && [ -n "$line" ]; do :; done
    if [ "$output" = - ]; then cat; else cat >"$output"; fi
}
"""


def pause(busybox: bytes, architecture: str) -> bytes:
    """The archive of the sandbox image. architecture: as Go names it, "amd64"."""
    entries = [
        Entry("bin/busybox", busybox, 0o755),
        Entry("bin/sh", link="busybox"),
        Entry("bin/sleep", link="busybox"),
        Entry("pause", _PAUSE_SCRIPT.encode(), 0o755),
    ]
    return write(PAUSE, entries, Config(["/pause"], _ENVIRONMENT, architecture=architecture))


def demo(busybox: bytes, applets: Sequence[str], architecture: str) -> bytes:
    """The archive of the demo image: every applet of busybox, and a web server on port 8080
    that answers with the pod's name."""
    entries = [
        Entry("bin/busybox", busybox, 0o755),
        *(Entry(f"bin/{applet}", link="busybox") for applet in applets if applet not in _OURS),
        Entry("bin/wget", _WGET.encode(), 0o755),
        Entry("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"),
        Entry("etc/group", b"root:x:0:\nnogroup:x:65534:\n"),
        Entry("root", mode=0o700, directory=True),
        Entry("tmp", mode=0o1777, directory=True),
        Entry("serve", _DEMO_SCRIPT.encode(), 0o755),
    ]
    config = Config(["/serve"], _ENVIRONMENT, ports=[DEMO_PORT], architecture=architecture)
    return write(DEMO, entries, config)


_ENVIRONMENT = {"PATH": "/bin"}
