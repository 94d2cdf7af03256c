"""Sends messages to the service manager that started this process, by the protocol of sd_notify(3)."""

from __future__ import annotations

import _socket

from cp.platform.text import to_bytes


def notify(address: str, message: str) -> None:
    """Send lines such as `READY=1` to the value of NOTIFY_SOCKET: a path, or `@` and the name of an abstract socket.

    It does not wait. BlockingIOError: the queue of the receiver is full. OSError: it cannot be sent. ValueError: this
    is not such an address.
    """
    if address[:1] not in ("/", "@") or len(address) < 2 or "\0" in address:
        raise ValueError("it is neither an absolute path nor the name of an abstract socket")
    encoded = to_bytes(address)
    client = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK)
    try:
        client.sendto(message.encode(), b"\0" + encoded[1:] if address[0] == "@" else encoded)
    finally:
        client.close()
