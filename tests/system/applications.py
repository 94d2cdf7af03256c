"""Real servers that native health checks check: an nginx with http, https and a unix socket, and a Redis.

The programs are those that the variables NGINX and REDIS_SERVER name, or what scripts/fetch-nginx.py and
scripts/fetch-redis-server.py fetched, or those on PATH.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from xprocess import ProcessStarter  # type: ignore[import-untyped]

from tests.certificates import Authority
from tests.system.servers import find_server, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xprocess import XProcess

NGINX_CONF = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{http};
        listen 127.0.0.1:{https} ssl;
        listen unix:{folder}/nginx.sock;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location = /health {{ return 200 "ready\\n"; }}
        location = /moved {{ return 301 /health; }}
        location = /sick {{ return 503 "database is starting\\n"; }}
    }}
}}
"""


class Application:
    """A server under xprocess that has a folder of its own, with a short path for sockets."""

    def __init__(self, xprocess: XProcess, name: str) -> None:
        self._xprocess = xprocess
        self._name = f"{name}-{os.getpid()}-{random.getrandbits(32):x}"
        self._popen: Any = None
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))

    def start(self, command: list[object], port: int) -> None:
        """Start it, and wait until the port accepts connections."""

        class Starter(ProcessStarter):  # type: ignore[misc]
            timeout = 60
            terminate_on_interrupt = True
            args: ClassVar[list[object]] = command

            def startup_check(self) -> bool:
                code = self.process.resources[-1].popen.poll()
                assert code is None, f"{command[0]} ended with {code}: see {self.control_dir}/xprocess.log"
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    return True
                return False

        try:
            self._xprocess.ensure(self._name, Starter)
        finally:
            self._popen = self._xprocess.resources[-1].popen

    def close(self) -> None:
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(str(self._xprocess.getinfo(self._name).controldir), ignore_errors=True)


class Nginx(Application):
    """`http` and `https` are ports, `socket` is a path, and `authority` has signed its certificate."""

    def __init__(self, xprocess: XProcess) -> None:
        super().__init__(xprocess, "nginx")
        self.http, self.https = free_port(), free_port()
        self.socket = self.folder / "nginx.sock"
        self.authority = Authority(self.folder / "authority")
        certificate, key = self.authority.issue("nginx", "DNS:localhost", "IP:127.0.0.1")
        conf = self.folder / "nginx.conf"
        conf.write_text(
            NGINX_CONF.format(folder=self.folder, http=self.http, https=self.https, certificate=certificate, key=key)
        )
        self.start([find_server("nginx"), "-e", "stderr", "-p", self.folder, "-c", conf], self.http)


class Redis(Application):
    def __init__(self, xprocess: XProcess) -> None:
        super().__init__(xprocess, "redis")
        self.port = free_port()
        self.socket = self.folder / "redis.sock"
        persistence = ["--save", "", "--dir", self.folder]
        places = ["--bind", "127.0.0.1", "--port", self.port, "--unixsocket", self.socket]
        self.start([find_server("redis-server"), *places, *persistence], self.port)


@pytest.fixture(scope="module")
def nginx(xprocess: XProcess) -> Iterator[Nginx]:
    started = Nginx(xprocess)
    yield started
    started.close()


@pytest.fixture
def redis(xprocess: XProcess) -> Iterator[Redis]:
    """One that the test may end with `close`."""
    started = Redis(xprocess)
    yield started
    started.close()
