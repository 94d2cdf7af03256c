"""prctl(2), which the standard library has no binding for."""

from __future__ import annotations

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> bool:
    """Adopt the orphans of this process's children, as PID 1 does. False if the kernel or Python does not support it.

    The C half of ctypes is enough for a call with integers, and saves the half megabyte and the milliseconds of
    importing `ctypes`.
    """
    try:
        import _ctypes

        function = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]
        return bool(_ctypes.call_function(function, (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0)
    except (ImportError, AttributeError, OSError):  # a minimal Python, or another version of _ctypes
        return False
