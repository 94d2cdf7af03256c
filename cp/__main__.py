"""The entry of `python -m cp` and of the wheel's command `containerpilot`. The archive has an entry of its own."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal  # the C module: `signal` imports enum


def main() -> int:
    """Run the program with the arguments of the command line; the exit code."""
    # The kernel drops a SIGTERM that reaches PID 1 before its handlers are installed. A blocked one waits for them.
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    if sys.platform != "linux":
        sys.exit(f"containerpilot: cannot start: Linux is needed, and this is {sys.platform}")
    from cp.cli.main import main as run
    from cp.platform.text import arguments

    return run(arguments())


if __name__ == "__main__":
    sys.exit(main())
