#!/usr/bin/env python3
"""Prints the path of an openssl, for the certificates of the tests: the one on PATH, or the distribution's package.

    scripts/fetch-openssl.py [FOLDER]      (default: .cache/openssl)

A system with only Python has the library and not the program. How it is fetched without installing it, and what
the variable APT_MIRROR does, is described in debian.py.
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
