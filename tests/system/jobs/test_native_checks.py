"""Health checks without a process, of real servers: nginx over http, https and a unix socket, and Redis."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system import proc
from tests.system.jobs.configs import app, config

if TYPE_CHECKING:
    from tests.system.applications import Nginx, Redis
    from tests.system.pilot import Pilot
    from tests.system.pilot_fixtures import StartPilot
    from tests.system.servers import Consul


def checked(*checks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The configuration of an application with these checks, each every second."""
    health = [{"name": f"check{number}", "interval": 1, **each} for number, each in enumerate(checks)]
    return config(app(health=health, **more), logging={"level": "DEBUG"})


def lines(started: Pilot, word: str) -> int:
    return started.output().count(word)


def children_faults(started: Pilot) -> int:
    """Page faults of the children that ContainerPilot has reaped: each process has some (proc(5))."""
    text = Path(f"/proc/{started.pid}/stat").read_text()
    return int(text.rpartition(")")[2].split()[8])


def test_nginx_by_http_https_and_a_unix_socket_and_no_process_starts(pilot: StartPilot, nginx: Nginx) -> None:
    started = pilot(
        checked(
            {"http": f"http://localhost:{nginx.http}/health"},
            {"http": {"url": f"https://localhost:{nginx.https}/health", "tls": {"cafile": str(nginx.authority.file)}}},
            {"http": {"url": f"unix://{nginx.socket}:/health", "contains": "ready"}},
            {"tcp": f"127.0.0.1:{nginx.http}"},
            {"unix": str(nginx.socket)},
        )
    )

    for number, what in enumerate(
        (
            rf"GET http://localhost:{nginx.http}/health: 200 OK in \d+ ms",
            rf"GET https://localhost:{nginx.https}/health: 200 OK in \d+ ms",
            rf"GET unix://{nginx.socket}:/health: 200 OK in \d+ ms",
            rf"tcp 127\.0\.0\.1:{nginx.http}: connected in \d+ ms",
            rf"unix {nginx.socket}: connected in \d+ ms",
        )
    ):
        started.wait_for_line(rf"check\.app\.check{number} passed: {what}$")
    faults = children_faults(started)
    before = lines(started, " passed: ")
    started.wait_for(lambda: lines(started, " passed: ") >= before + 10, what="ten more checks")

    assert started.jobs()["app"]["health"]["status"] == "healthy"
    assert children_faults(started) == faults
    assert len(started.children()) == 1
    assert " failed: " not in started.output()
    assert not [name for name in proc.descriptors(started.pid).values() if name.startswith("socket:")][4:]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/sick", r"503 Service Temporarily Unavailable in \d+ ms: database is starting"),
        ("/moved", "301: redirects are not followed"),
        ("/nothing", r"404 Not Found in \d+ ms: <html> .*"),
    ],
)
def test_what_nginx_answers_is_in_the_log_and_in_job(pilot: StartPilot, nginx: Nginx, path: str, why: str) -> None:
    started = pilot(config(app(health={"http": f":{nginx.http}{path}", "interval": 1, "ttl": 5})))

    started.wait_for_line(rf"check\.app: app is unhealthy: GET http://localhost:{nginx.http}{path}: {why}")

    assert re.search(why, started.run("-job", "app").stdout)


def test_a_certificate_that_nobody_trusts(pilot: StartPilot, nginx: Nginx) -> None:
    started = pilot(config(app(health={"http": f"https://localhost:{nginx.https}/health", "interval": 1})))

    started.wait_for_line(r"app is unhealthy: GET https://localhost:\d+/health: its certificate is not valid: ")


def output_in(consul: Consul, service: str) -> str:
    return next((str(each["Output"]) for each in consul.checks().values() if each["ServiceName"] == service), "")


def test_the_catalogue_shows_a_redis_that_ends(pilot: StartPilot, consul: Consul, redis: Redis) -> None:
    check = {"tcp": f":{redis.port}", "interval": 1, "ttl": 5, "failures": 2}
    address = {"port": redis.port, "interfaces": ["static:127.0.0.1"]}
    started = pilot(config(app("redis", health=check, **address), consul=consul.address))

    consul.wait_until_passing("redis")

    redis.close()

    started.wait_for_line(rf"redis is unhealthy: tcp 127\.0\.0\.1:{redis.port}: connection refused")
    consul.wait_until_passing("redis", 0)
    started.wait_for(lambda: "connection refused" in output_in(consul, "redis"), what="the failure in Consul")
    assert "connection refused" in started.run("-job", "redis").stdout


def test_a_reload_brings_the_first_native_checks_and_takes_them_away(pilot: StartPilot, nginx: Nginx) -> None:
    started = pilot(checked({"exec": "true"}))
    started.wait_for(lambda: started.jobs()["app"]["health"]["status"] == "healthy", what="the check by a command")

    started.configure(checked({"http": f":{nginx.http}/health"}, {"http": f"unix://{nginx.socket}:/moved"}))
    assert started.run("-reload").code == 0
    started.wait_for_line(r"app is unhealthy: GET unix://.*:/moved: 301: redirects are not followed")
    started.wait_for_line(r"check0 passed: GET http://localhost:\d+/health: 200 OK in \d+ ms")
    started.configure(checked({"exec": "true"}))
    assert started.run("-reload").code == 0
    started.wait_for(lambda: started.jobs()["app"]["health"]["status"] == "healthy", what="the check by a command")

    assert "internal error" not in started.output()
    assert not [name for name in proc.descriptors(started.pid).values() if name.startswith("socket:")][4:]
