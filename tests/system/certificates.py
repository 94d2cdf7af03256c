"""A private certificate authority for the tests, made with the program `openssl`."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# What strict verification wants to see, which is the default of Python 3.13.
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
subjectAltName = {names}
"""
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """`ca` is its certificate. What it signs lies beside it: NAME.pem and NAME.key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca = folder / "ca.pem"
        (folder / "ca.conf").write_text(AUTHORITY)
        self._run(
            "req", "-x509", *NEW_KEY, "-config", "ca.conf", "-subj", "/CN=authority", "-days", "2",
            "-keyout", "ca.key", "-out", "ca.pem",
        )  # fmt: skip

    def issue(self, name: str, alternatives: str) -> tuple[Path, Path]:
        """Certificate and key for these subjectAltNames, such as "DNS:localhost,IP:127.0.0.1".

        They have no common name: etcd's gateway would be taken for a user of that name.
        """
        (self._folder / f"{name}.conf").write_text(LEAF.format(names=alternatives))
        self._run(
            "req", *NEW_KEY, "-config", "ca.conf", "-subj", f"/O={name}", "-keyout", f"{name}.key",
            "-out", f"{name}.csr",
        )  # fmt: skip
        self._run(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", f"{name}.conf", "-out", f"{name}.pem",
        )  # fmt: skip
        return self._folder / f"{name}.pem", self._folder / f"{name}.key"

    def _run(self, *arguments: str) -> None:
        try:
            done = subprocess.run(
                ["openssl", *arguments], cwd=self._folder, capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            pytest.fail("cannot find the program openssl, which makes the certificates: install it", pytrace=False)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """It has issued `server`, for 127.0.0.1, and `client`."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    authority.issue("server", "DNS:localhost,IP:127.0.0.1")
    authority.issue("client", "DNS:client")
    return authority
