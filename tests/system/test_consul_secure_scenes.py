"""Whole scenes with a real Consul that speaks TLS, asks for certificates, and denies all to those without a token."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.certificates import Authority
from tests.system.scripts import forever, service, sh
from tests.system.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.pilot_fixtures import StartPilot
    from tests.system.servers import StartConsul

HOST = os.uname().nodename


@pytest.mark.parametrize("source", ["configuration", "environment"])
def test_with_certificates_and_a_token(
    pilot: StartPilot, start_consul: StartConsul, tmp_path: Path, source: str
) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("server", "IP:127.0.0.1")
    mine, my_key = authority.issue("client")
    token, port = str(uuid.uuid4()), free_port()
    consul = start_consul(
        f'acl {{ enabled = true default_policy = "deny" tokens {{ master = "{token}" agent = "{token}" }} }} '
        f'ports {{ https = {port} }} ca_file = "{authority.file}" cert_file = "{certificate}" '
        f'key_file = "{key}" verify_incoming_https = true',
        token=token,
    )
    tell = sh('mark "$CONTAINERPILOT_WATCH_INSTANCES"')
    config = {
        "consul": {"address": f"127.0.0.1:{port}"},
        "services": [service(health="/bin/true")],
        "backends": [{"name": "app", "poll": 1, "onChange": tell}],
    }
    env = {}
    if source == "configuration":
        tls = {"cafile": str(authority.file), "clientcert": str(mine), "clientkey": str(my_key)}
        config["consul"] = {"address": f"127.0.0.1:{port}", "scheme": "https", "token": token, "tls": tls}
    else:
        env = {
            "CONSUL_HTTP_SSL": "true",
            "CONSUL_HTTP_TOKEN": token,
            "CONSUL_CACERT": str(authority.file),
            "CONSUL_CLIENT_CERT": str(mine),
            "CONSUL_CLIENT_KEY": str(my_key),
        }
    started = pilot(config, forever(), env=env)

    consul.wait_until_passing("app")
    started.wait_for(lambda: any(f"app-{HOST}" in word for word in started.words()), what="the backend's change")
    started.stop()

    assert f"app-{HOST}" not in consul.services()
    assert token not in started.output() + started.errors()
