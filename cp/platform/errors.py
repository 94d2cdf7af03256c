"""Errors of the system in words, as messages end with them: `no such file or directory`."""

from __future__ import annotations

import errno
import os


def reason_of(error: BaseException) -> str:
    """Why something failed: the system's words, without a capital letter at their start; never empty.

    An error without a number has its own text, or its name if it has no text.
    """
    if isinstance(error, OSError) and (error.strerror or error.errno):
        usual = os.strerror(error.errno or 0)
        text = error.strerror or usual
        if text == usual:
            return text.lower()
        # The words of a library may have names in them, and begin with one: `SIOCGIFCONF: …`.
        return text[:1].lower() + text[1:] if text[1:2].islower() else text
    return str(error) or ("out of memory" if isinstance(error, MemoryError) else type(error).__name__)


def reason_of_fd(error: OSError) -> str:
    """Why the kernel opens no descriptor, or does not let epoll watch one."""
    if error.errno == errno.ENOSPC:  # a full disk has nothing to do with it
        return "the limit fs.epoll.max_user_watches is reached"
    return reason_of(error)
