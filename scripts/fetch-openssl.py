#!/usr/bin/env python3
"""Prints the path of an openssl, for the certificates of the tests: the one on PATH, or the distribution's package.

    scripts/fetch-openssl.py [FOLDER]      (default: .cache/openssl)

A system with only Python has the library, but not the program. debian.py describes how it is downloaded, and the
variable APT_MIRROR.
"""

from __future__ import annotations

import debian

OPENSSL = debian.Program(
    title="OpenSSL",
    name="openssl",
    package="openssl",
    versions="1.1.1 or newer",
    releases={"debian": debian.Release("bookworm", "main"), "ubuntu": debian.Release("jammy", "main")},
    version_command="version",
)

if __name__ == "__main__":
    debian.main(OPENSSL)
