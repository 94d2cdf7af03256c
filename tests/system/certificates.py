"""The authority that the servers of all tests share."""

from __future__ import annotations

import pytest

from tests.certificates import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """It has issued `server`, for 127.0.0.1, and `client`."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    authority.issue("server", "DNS:localhost", "IP:127.0.0.1")
    authority.issue("client", "DNS:client")
    return authority
