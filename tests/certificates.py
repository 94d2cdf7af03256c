"""Certificates for tests, made by the `openssl` command: an authority, and what it signs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Authority:
    """Writes into a folder; each certificate is `<name>.pem` with its key in `<name>.key`, and its own `ca.pem`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.file = folder / "ca.pem"
        self._openssl("req", "-x509", *KEY, "-days", "2", "-subj", "/CN=test authority",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", "ca.key",
                      "-out", "ca.pem")  # fmt: skip

    def issue(self, name: str, *names: str, days: int = 2) -> tuple[Path, Path]:
        """For these names (`DNS:localhost`, `IP:127.0.0.1`); with negative days it has expired. Certificate and key."""
        # The identifiers are what Python from 3.13 on insists on.
        extensions = "basicConstraints=CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
        if names:
            extensions += f"subjectAltName={','.join(names)}\n"
        (self._folder / f"{name}.ext").write_text(extensions)
        self._openssl("req", "-new", *KEY, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", str(days), "-extfile", f"{name}.ext", "-out", f"{name}.pem")  # fmt: skip
        return self._folder / f"{name}.pem", self._folder / f"{name}.key"

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)


KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
