"""The helpers of tests for descriptors."""

from __future__ import annotations

import fcntl
import os
import resource
import select
from collections.abc import Iterator

import pytest

from tests.descriptors import is_ready


@pytest.fixture
def many() -> Iterator[None]:
    """Allows the test as many open descriptors as the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= 1024:
        pytest.skip("this machine gives nobody a descriptor above 1023")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many")
def test_a_descriptor_above_those_that_select_takes() -> None:
    reader, writer = os.pipe()
    high = fcntl.fcntl(reader, fcntl.F_DUPFD_CLOEXEC, 1024)
    try:
        with pytest.raises(ValueError, match="out of range"):
            select.select([high], [], [], 0)
        assert not is_ready(high)
        assert is_ready(writer, select.POLLOUT)

        os.write(writer, b"x")

        assert is_ready(high)
        os.read(high, 1)
        assert not is_ready(high)
        os.close(writer)
        writer = -1
        assert is_ready(high)  # its end can be read
    finally:
        for fd in (reader, high, *([writer] if writer >= 0 else [])):
            os.close(fd)
