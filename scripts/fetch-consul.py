#!/usr/bin/env python3
"""Prints the path of a Consul to test with: `consul` on PATH, or the distribution's package of version 1.8.7.

    scripts/fetch-consul.py [FOLDER]      (default: .cache/consul)

No current release of Debian or Ubuntu has that package, so it comes from an older release of the same distribution.
debian.py describes how, and the variable APT_MIRROR.
"""

from __future__ import annotations

import debian

CONSUL = debian.Program(
    title="Consul",
    name="consul",
    package="consul",
    versions="1.8 or newer",
    releases={"debian": debian.Release("bullseye", "main"), "ubuntu": debian.Release("jammy", "universe")},
    version_command="version",
)

if __name__ == "__main__":
    debian.main(CONSUL)
