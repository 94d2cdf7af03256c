"""A seccomp filter of this process and all that it will be: as a strict container engine, or an old one, has it.

Calls that a profile may forbid fail with EPERM; calls that an older kernel or engine does not know fail with ENOSYS.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import NamedTuple

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2  # linux/prctl.h, linux/seccomp.h
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD_WORD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06  # linux/filter.h: BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET
NUMBER_AT, MACHINE_AT = 0, 4  # in struct seccomp_data


class Machine(NamedTuple):
    """A machine type: linux/audit.h's name of it, and which column of the table has its numbers."""

    audit: int
    column: int


MACHINES = {"x86_64": Machine(0xC000003E, 0), "aarch64": Machine(0xC00000B7, 1)}

# The numbers of asm/unistd_64.h and of asm-generic/unistd.h; None: that machine has no such call.
FORBIDDEN: dict[str, tuple[int, int | None]] = {
    "ptrace": (101, 117),
    "personality": (135, 92),
    "prctl": (157, 167),
    "mount": (165, 40),
    "keyctl": (250, 219),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "unshare": (272, 97),
    "perf_event_open": (298, 241),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "getrandom": (318, 278),
    "memfd_create": (319, 279),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
}
UNKNOWN: dict[str, tuple[int, int | None]] = {
    "statx": (332, 291),
    "pidfd_send_signal": (424, 424),
    "io_uring_setup": (425, 425),
    "pidfd_open": (434, 434),
    "clone3": (435, 435),
    "close_range": (436, 436),
    "openat2": (437, 437),
    "pidfd_getfd": (438, 438),
    "faccessat2": (439, 439),
}


def program(machine: Machine) -> bytes:
    """The filter, as the kernel takes it: an array of struct sock_filter."""
    rows = [
        *((number[machine.column], errno.EPERM) for number in FORBIDDEN.values()),
        *((number[machine.column], errno.ENOSYS) for number in UNKNOWN.values()),
    ]
    steps = [
        (LOAD_WORD, 0, 0, MACHINE_AT),
        (JUMP_EQUAL, 1, 0, machine.audit),
        (RETURN, 0, 0, RET_ALLOW),  # another machine's calls: there are none in these tests
        (LOAD_WORD, 0, 0, NUMBER_AT),
    ]
    for number, error in rows:
        if number is not None:
            steps += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, RET_ERRNO | error)]
    steps.append((RETURN, 0, 0, RET_ALLOW))
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def known() -> bool:
    """Are the numbers of this machine's calls known here?"""
    return os.uname().machine in MACHINES


def install(libc: ctypes.CDLL) -> None:
    """From now on. OSError; needs CAP_SYS_ADMIN or no_new_privs."""
    code = program(MACHINES[os.uname().machine])
    steps = ctypes.create_string_buffer(code, len(code))
    filter_ = struct.pack("HP", len(code) // 8, ctypes.addressof(steps))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(filter_)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")
