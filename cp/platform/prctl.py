"""A call of the C library that the standard library has no binding for."""

from __future__ import annotations

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> bool:
    """The orphans of our children become ours, as they would at PID 1; False where that cannot be had.

    The C half of ctypes is enough for a call with integers only, and saves the half a megabyte and the milliseconds
    that importing `ctypes` costs.
    """
    try:
        import _ctypes

        function = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]
        return bool(_ctypes.call_function(function, (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0)
    except (ImportError, AttributeError, OSError):  # a minimal Python, or one whose _ctypes is another
        return False
