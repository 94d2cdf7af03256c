"""Whether a descriptor is ready, whatever its number: select() refuses those above 1023, which a long run comes to."""

from __future__ import annotations

import select


def is_ready(fd: int, mask: int = select.POLLIN, seconds: float = 0.0) -> bool:
    """Whether it can be read (or what `mask` names) without waiting, or its other end is closed."""
    poll = select.poll()
    poll.register(fd, mask)
    return bool(poll.poll(seconds * 1000))
