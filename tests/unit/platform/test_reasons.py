"""Errors of the system in words, for messages."""

from __future__ import annotations

import errno
import os
import ssl

import pytest

from cp.platform.text import reason_of, reason_of_fd


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/a/File"), "no such file or directory"),
        (OSError(errno.EIO, os.strerror(errno.EIO)), os.strerror(errno.EIO).lower()),
        (OSError(errno.EIO, None), os.strerror(errno.EIO).lower()),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION] wrong version"), "[SSL: WRONG_VERSION] wrong version"),
        (OSError(errno.EPERM, "Netlink: EPERM"), "netlink: EPERM"),
        (OSError(errno.EPERM, "SIOCGIFCONF: Operation not permitted"), "SIOCGIFCONF: Operation not permitted"),
        (TimeoutError("timed out"), "timed out"),
        (ValueError("embedded null byte"), "embedded null byte"),
        (MemoryError(), "out of memory"),
        (MemoryError("a page"), "a page"),
        (OSError(), "OSError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_the_reason_is_the_systems_words_or_the_errors_own(error: BaseException, words: str) -> None:
    assert reason_of(error) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EMFILE, "too many open files"),
        (errno.ENOSPC, "the limit fs.epoll.max_user_watches is reached"),
    ],
)
def test_a_descriptor_is_not_watched_because_of_a_limit_of_epoll_and_not_of_a_disk(number: int, words: str) -> None:
    assert reason_of_fd(OSError(number, os.strerror(number))) == words
