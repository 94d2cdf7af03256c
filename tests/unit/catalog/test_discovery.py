"""The modules that a minimal Python may lack: the start refuses what could never work."""

from __future__ import annotations

import sys

import pytest

import cp.catalog.http.urllib3_subset  # noqa: F401  - it has the message, and nothing can be imported below
from cp.catalog.discovery import HTTP_MODULES, missing_for
from cp.plan import ConsulSettings, DirectorySettings, EtcdSettings

CONSUL = ConsulSettings(address="127.0.0.1:8500")
ETCD = EtcdSettings(endpoints=("http://127.0.0.1:2379",))


@pytest.fixture(params=HTTP_MODULES)
def lacking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A Python that lacks this module."""
    name = str(request.param)
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [])
    return name


@pytest.mark.parametrize("settings", [CONSUL, ETCD], ids=["consul", "etcd"])
def test_a_missing_module_is_named(settings: ConsulSettings | EtcdSettings, lacking: str) -> None:
    found = missing_for(settings)
    assert found is not None
    assert f"this Python's standard library lacks the module '{lacking}'" in found


def test_a_folder_needs_none_of_these_modules(lacking: str) -> None:
    assert missing_for(DirectorySettings(path="/catalogue")) is None


@pytest.mark.parametrize("settings", [CONSUL, ETCD], ids=["consul", "etcd"])
def test_a_whole_python_lacks_nothing(settings: ConsulSettings | EtcdSettings) -> None:
    assert missing_for(settings) is None
