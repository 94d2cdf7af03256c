#!/usr/bin/env python3
"""Prints the path of an etcd to test with: `etcd` on PATH if it is 3.4, or the distribution's package.

    scripts/fetch-etcd.py [FOLDER]      (default: .cache/etcd)

The tests need a server with both APIs: 3.3 has v3 at another path, and v2 is broken in 3.5. debian.py describes how the
package is downloaded, and the variable APT_MIRROR.
"""

from __future__ import annotations

import subprocess

import debian

ETCD = debian.Program(
    title="etcd",
    name="etcd",
    package="etcd-server",
    versions="3.4",
    releases={"debian": debian.Release("bookworm", "main"), "ubuntu": debian.Release("noble", "universe")},
    version_command="--version",
)


def speaks_both(path: str) -> bool:
    try:
        told = debian.version(path, ETCD.version_command)
    except (OSError, subprocess.SubprocessError):
        return False
    return told.startswith("etcd Version: 3.4.")


if __name__ == "__main__":
    debian.main(ETCD, speaks_both)
