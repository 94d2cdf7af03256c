"""Fixtures of the tests that build images and run containers, without an engine."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.system.containers import Engine, Images
from tests.system.dockerfile import context
from tests.system.pilot import ROOT
from tests.system.roots import Roots

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.dockerfile import Image

# The replacement of an image that a FROM names, by the beginning of its name.
STAND_INS = {
    "python:3.15-alpine": "alpine",
    "python:": "official",
    "distroless/python3-debian12": "without shell",
    "debian:": "package manager",
    "redhat/ubi": "package manager",
}


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Builds images from Dockerfiles."""
    roots = Roots(tmp_path_factory.mktemp("roots"))

    def base(reference: str, image: Image) -> None:
        kinds = [kind for beginning, kind in STAND_INS.items() if reference.startswith(beginning)]
        assert kinds, f"there is no replacement for {reference}"
        roots.put(kinds[0], image.root)

    layers = tmp_path_factory.mktemp("layers")
    if "PYTEST_XDIST_WORKER" in os.environ:
        layers = tmp_path_factory.getbasetemp().parent / "layers"  # of all workers
        layers.mkdir(exist_ok=True)
    return Images(tmp_path_factory.mktemp("images"), layers, base)


@pytest.fixture(scope="session")
def alpine_image(images: Images, built_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image of Dockerfile.alpine. A FROM finds it by the name that it has in that file."""
    source = tmp_path_factory.mktemp("source")
    shutil.copy2(ROOT / ".dockerignore", source)
    (source / "dist").mkdir()
    shutil.copy2(built_archive, source / "dist" / "containerpilot.pyz")
    sent = context(source, tmp_path_factory.mktemp("sent"))
    return images.build((ROOT / "Dockerfile.alpine").read_text(), sent, "containerpilot:alpine")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Runs containers."""
    started = Engine(tmp_path)
    try:
        yield started
    finally:
        started.close()
