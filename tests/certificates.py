"""Certificates for tests: an authority, and what it signs.

The program openssl makes them: the one that the variable OPENSSL names, or the one on PATH.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# With what strict verification wants to see, which is the default of Python 3.13. A configuration is named with each
# request, since a system without the program has none of its own.
AUTHORITY = """\
[req]
distinguished_name = name
x509_extensions = extensions
[name]
[extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
LEAF = """\
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
NEW_KEY = ("-config", "ca.conf", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(folder: Path, *arguments: str) -> None:
    """Run the program in this folder. FileNotFoundError if there is none, AssertionError if it fails."""
    program = os.environ.get("OPENSSL", "openssl")
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"openssl {' '.join(arguments)}: {done.stderr}")


class Authority:
    """`file` is its certificate. The certificates that it signs are beside it: NAME.pem, and the key in NAME.key."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.file = folder / "ca.pem"
        (folder / "ca.conf").write_text(AUTHORITY)
        openssl(
            folder, "req", "-x509", *NEW_KEY, "-subj", "/CN=test authority", "-days", "2",
            "-keyout", "ca.key", "-out", "ca.pem",
        )  # fmt: skip

    def issue(self, name: str, *names: str, days: int = 2) -> tuple[Path, Path]:
        """Certificate and key for these names (`DNS:localhost`, `IP:127.0.0.1`); with negative days it has expired.

        It has no common name: etcd's gateway would be taken for a user of that name.
        """
        alternatives = f"subjectAltName = {','.join(names)}\n" if names else ""
        (self._folder / f"{name}.conf").write_text(LEAF + alternatives)
        openssl(
            self._folder, "req", "-new", *NEW_KEY, "-subj", f"/O={name}", "-keyout", f"{name}.key",
            "-out", f"{name}.csr",
        )  # fmt: skip
        openssl(
            self._folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", str(days), "-extfile", f"{name}.conf", "-out", f"{name}.pem",
        )  # fmt: skip
        return self._folder / f"{name}.pem", self._folder / f"{name}.key"
