"""Fixtures for the system tests."""

from __future__ import annotations

from tests.system.applications import nginx, redis
from tests.system.certificates import authority
from tests.system.container_fixtures import alpine_image, engine, images
from tests.system.etcd_server import etcd, start_etcd
from tests.system.servers import consul, start_consul

__all__ = [
    "alpine_image",
    "authority",
    "consul",
    "engine",
    "etcd",
    "images",
    "nginx",
    "redis",
    "start_consul",
    "start_etcd",
]
