#!/usr/bin/env python3
"""Prints the path of a Prometheus to test with: `prometheus` on PATH, or the distribution's package.

    scripts/fetch-prometheus.py [FOLDER]      (default: .cache/prometheus)

debian.py describes how it is downloaded, and the variable APT_MIRROR.
"""

from __future__ import annotations

import debian

PROMETHEUS = debian.Program(
    title="Prometheus",
    name="prometheus",
    package="prometheus",
    versions="2.30 or newer",
    releases={"debian": debian.Release("bookworm", "main"), "ubuntu": debian.Release("jammy", "universe")},
    version_command="--version",
)

if __name__ == "__main__":
    debian.main(PROMETHEUS)
