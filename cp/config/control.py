"""`control`: the socket at which a running ContainerPilot takes requests, and the users that may use it."""

from __future__ import annotations

from cp.plan import LONGEST_SOCKET_PATH, ControlSettings
from cp.platform.text import for_python_to_encode, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cp.config.fields import Fields

HIGHEST_USER = 2**32 - 2  # the kernel uses the next number for "none"
EVERYONE = "*"


def read_control(root: Fields, *, announced: bool) -> ControlSettings:
    """Read `control`. Without it, or if it is empty: the usual paths, and only ContainerPilot's own user and root."""
    fields = root.object("control", ("socket", "users"))
    if fields is None:
        return ControlSettings(announced=announced)
    return ControlSettings(socket=_read_socket(fields), announced=announced, users=_read_users(fields))


def _read_socket(fields: Fields) -> str:
    path = fields.string("socket")
    if fields.has("socket") and not path.strip():
        fields.error(
            "socket",
            "control: validate failed with control server not loading due to missing config: name a path, "
            "or leave it out for the usual place",
        )
    elif len(to_bytes(path)) > LONGEST_SOCKET_PATH:
        fields.error("socket", f"the path is too long for a socket: at most {LONGEST_SOCKET_PATH} bytes")
    return path


def _read_users(fields: Fields) -> tuple[int, ...] | None:
    """The numbers of the users; None: everyone."""
    value = fields.value("users")
    if value is None:
        return ()
    found: dict[int, None] = {}
    everyone = False
    elements, paths = [value], ["users"]
    if isinstance(value.data, list):
        elements, paths = value.data, [f"users[{index}]" for index in range(len(value.data))]
    for element, path in zip(elements, paths, strict=True):
        if element.data == EVERYONE:
            everyone = True
        elif element.data is not None:  # templates produce nulls
            try:
                found[_number(element.data)] = None
            except ValueError as error:
                fields.problems.error(element.offset, fields.key_path_of(path), str(error))
    return None if everyone else tuple(found)


def _number(data: object) -> int:
    """The number of a user, given by number or name. Raises ValueError."""
    if isinstance(data, str) and data.isascii() and data.isdecimal() and len(data) < 20:
        data = int(data)  # a template produces strings
    if isinstance(data, int) and not isinstance(data, bool):
        if 0 <= data <= HIGHEST_USER:
            return data
        raise ValueError(f"the number of a user is from 0 to {HIGHEST_USER}")
    if not isinstance(data, str) or not data or "\0" in data:
        raise ValueError(f'must be the name or the number of a user, or "{EVERYONE}" for all')
    try:
        from pwd import getpwnam
    except ImportError:
        raise ValueError("cannot look up a user without Python's module 'pwd': write the user's number") from None
    try:
        return getpwnam(for_python_to_encode(data)).pw_uid
    except (KeyError, ValueError):
        from cp.config.fields import show

        raise ValueError(f"cannot find the user {show(data)}: create it, or write its number") from None
