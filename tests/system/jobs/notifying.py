"""Clients of the readiness protocols, as programs in the field write them."""

from __future__ import annotations

from tests.system.scripts import Command, python

# sd_notify(3) by hand, in Python: a new socket for each message.
SD_NOTIFY = """
import socket
def notify(*lines):
    address = os.environ['NOTIFY_SOCKET']
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect('\\0' + address[1:] if address[0] == '@' else address)
        sender.sendall('\\n'.join(lines).encode())
"""

# As github.com/coreos/go-systemd does: net.DialUnix("unixgram", nil, address), one Write, Close. Go sets
# SO_BROADCAST on a datagram socket, makes it non-blocking, and connects.
GO_NOTIFY = """
import socket
def notify(*lines):
    address = os.environ['NOTIFY_SOCKET']
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sender.connect('\\0' + address[1:] if address[0] == '@' else address)
    assert os.write(sender.fileno(), '\\n'.join(lines).encode())
    sender.close()
"""

# sd_notify_barrier(3): returns when the receiver has closed the descriptor.
BARRIER = """
import array
def barrier():
    read_end, write_end = os.pipe()
    address = os.environ['NOTIFY_SOCKET']
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [write_end]).tobytes())]
        sender.sendmsg([b'BARRIER=1'], rights, 0, '\\0' + address[1:] if address[0] == '@' else address)
    os.close(write_end)
    assert os.read(read_end, 1) == b''
"""

FOREVER = "\nwhile True: time.sleep(1000)\n"


def notifier(script: str, client: str = SD_NOTIFY) -> Command:
    """A process that has `notify(*lines)`, does this, and stays."""
    return python(client + script + FOREVER)


def pinging(word: str = "app", *, hangs_after: float | None = None) -> Command:
    """As sd_watchdog_enabled(3) recommends: reports at half of its time. It hangs after some seconds, if so."""
    condition = "True" if hangs_after is None else f"time.monotonic() < began + {hangs_after}"
    return notifier(
        "assert os.environ.get('WATCHDOG_PID', str(os.getpid())) == str(os.getpid())\n"
        "pause = int(os.environ['WATCHDOG_USEC']) / 2e6\n"
        "began = time.monotonic()\n"
        f"mark('{word}')\nnotify('READY=1')\n"  # in this order: who waits for `ready` may count the marks
        f"while {condition}:\n"
        "    notify('WATCHDOG=1')\n"
        "    time.sleep(pause)\n"
    )
