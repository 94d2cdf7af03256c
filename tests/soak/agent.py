"""A Consul of the soak's own, which it kills, freezes and starts again; its ports stay the same."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

from tests.system.pilot import wait_for
from tests.system.servers import Consul, find_consul, free_port

if TYPE_CHECKING:
    from pathlib import Path

START = 60.0  # seconds that it may take to be ready


class Agent(Consul):
    """It is queried like the tests' Consul. Its process is a plain one, which needs no pytest."""

    def __init__(self, folder: Path) -> None:
        self._token = ""
        self._log = folder / "consul.log"
        self._ports = [free_port() for _ in range(3)]
        self.address = f"127.0.0.1:{self._ports[0]}"
        self._popen: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int:
        assert self._popen is not None
        return self._popen.pid

    def start(self) -> None:
        """Empty, and ready to answer."""
        http, server, serf = map(str, self._ports)
        ports = ["-http-port", http, "-server-port", server, "-serf-lan-port", serf]
        ports += ["-serf-wan-port", "-1", "-dns-port", "-1", "-grpc-port", "-1"]
        common = ["agent", "-dev", "-node", "soak", "-log-level", "warn", "-disable-host-node-id", "-bind", "127.0.0.1"]
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                [find_consul(), *common, *ports, "-hcl", "disable_update_check = true"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._is_ready, START, "a Consul")

    def kill(self) -> None:
        if self._popen is not None:
            self._popen.send_signal(signal.SIGKILL)
            self._popen.wait()

    close = kill

    # --- the instances of a service that is none of ContainerPilot's

    def enter(self, name: str) -> None:
        self.put("/v1/agent/service/register", {"Name": name, "Address": "10.0.0.9", "Port": 9})

    def leave(self, name: str) -> None:
        self.put(f"/v1/agent/service/deregister/{name}")
