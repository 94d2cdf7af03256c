"""The first process of a container of the tests: mounts what it needs, enters its root, and becomes its program.

Usage: container_entry.py DESCRIPTION  (JSON: see `description` in containers.py)
       container_entry.py network      holds a network, and asks in it for the URLs that come on standard input
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import socket
import struct
import sys
import warnings  # noqa: F401 - `os.execvpe` imports it, when this Python's library is out of reach
from typing import Any

# linux/mount.h, linux/prctl.h
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC = 0x1, 0x20, 0x1000, 0x4000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
DEVICES = ("null", "zero", "full", "random", "urandom")

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    checked(libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()), f"mount {target}")


def make_mounts(entry: dict[str, Any]) -> None:
    root = entry["root"]
    mount(root, root, flags=MS_BIND | MS_REC)
    for name in ("proc", "dev"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    mount("proc", f"{root}/proc", "proc")
    mount("dev", f"{root}/dev", "tmpfs", data="mode=755")
    for device in DEVICES:
        bind(f"/dev/{device}", f"{root}/dev/{device}")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"{root}/dev/{name}")
    for source, target in entry["binds"].items():
        bind(source, f"{root}{target}")
    for target in entry["tmpfs"]:
        os.makedirs(f"{root}{target}", exist_ok=True)
        mount("tmpfs", f"{root}{target}", "tmpfs", data="mode=1777")
    if entry["read_only"]:
        mount("none", root, flags=MS_REMOUNT | MS_BIND | MS_RDONLY)


def bind(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8"):
            pass
    mount(source, target, flags=MS_BIND)


def give_up(entry: dict[str, Any]) -> None:
    """Root's rights, as far as is wanted."""
    if entry["drop"]:
        for capability in range(64):
            if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                if ctypes.get_errno() != errno.EINVAL:  # there are no more of them
                    checked(-1, "prctl")
                break
        checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    if entry["user"]:
        uid, gid = entry["user"]
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def connect_network() -> None:
    """The loopback, and on it one address that is none of the loopback's, as a container has it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: up, running
        address = struct.pack("16sHH4s8x", b"lo:0", socket.AF_INET, 0, socket.inet_aton("10.0.0.5"))
        fcntl.ioctl(control, 0x8916, address)  # SIOCSIFADDR


def main() -> None:
    entry = json.loads(sys.argv[1])
    if entry["mounts"]:
        name = entry["env"]["HOSTNAME"].encode()
        checked(libc.sethostname(name, len(name)), "sethostname")
        make_mounts(entry)
    os.chroot(entry["root"])
    os.chdir(entry["workdir"])
    os.umask(0o022)
    give_up(entry)
    try:
        os.execvpe(entry["command"][0], entry["command"], entry["env"])
    except OSError as error:
        sys.exit(f"cannot run {entry['command'][0]}: {error.strerror}")


def hold_network() -> None:
    """Answers each line, `HOST:PORT PATH`, with the status (0: none) and the text of the answer, as JSON."""
    import http.client

    connect_network()
    for line in sys.stdin:
        place, path = line.split()
        connection = http.client.HTTPConnection(place, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            found = [answer.status, answer.read().decode()]
        except OSError:
            found = [0, ""]
        finally:
            connection.close()
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "network":
        hold_network()
    else:
        main()
