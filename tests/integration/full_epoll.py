"""An epoll that takes no more descriptors, as the kernel refuses them once fs.epoll.max_user_watches is reached."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import select

WHY = "the limit fs.epoll.max_user_watches is reached"


class FullEpoll:
    """Replaces `epoll`, which keeps its descriptors. `room`: how many more descriptors it accepts."""

    def __init__(self, epoll: select.epoll) -> None:
        self._epoll = epoll
        self.room = 0

    def register(self, fd: int, mask: int) -> None:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= 1
        self._epoll.register(fd, mask)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._epoll, name)


def fill(owner: Any, attribute: str) -> FullEpoll:
    """Let the epoll that `owner` has take no more."""
    full = FullEpoll(getattr(owner, attribute))
    setattr(owner, attribute, full)
    return full


def descriptors() -> set[str]:
    """All that are open here. Others may be closed any time, by the garbage collector: look for new ones alone."""
    return set(os.listdir("/proc/self/fd"))
