"""`control`: the socket on which a running ContainerPilot takes orders."""

from __future__ import annotations

from cp.plan import Control

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields

LONGEST_PATH = 107  # bytes: what the kernel's sockaddr_un holds, and the zero byte after it


def read_control(root: Fields, *, announced: bool) -> Control:
    """`control`; without it, or with nothing in it, the usual places."""
    fields = root.object("control", ("socket",))
    if fields is None or not fields.has("socket"):
        return Control(announced=announced)
    path = fields.string("socket")
    if not path.strip():
        fields.fault(
            "socket",
            "control: validate failed with control server not loading due to missing config: name a path, "
            "or leave it out for the usual place",
        )
    elif len(path.encode("utf-8", "surrogateescape")) > LONGEST_PATH:
        fields.fault("socket", f"the path is too long for a socket: at most {LONGEST_PATH} bytes")
    return Control(socket=path, announced=announced)
