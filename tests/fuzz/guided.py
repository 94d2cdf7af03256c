"""One target under the coverage-guided search: the process that `tests.fuzz.campaign` starts.

Usage: python -m tests.fuzz.guided TARGET MEMORY [arguments of libFuzzer]

MEMORY is a file of LARGEST bytes and a little, in which the input under way is noted: after a hang or a fatal error of
the interpreter it is the only one who knows.
"""

from __future__ import annotations

import faulthandler
import importlib
import mmap
import pkgutil
import sys
import time

import atheris  # type: ignore[import-untyped]

import cp
from tests.fuzz.limits import HANG, LARGEST, check_time

with atheris.instrument_imports(include=["cp"]):
    from tests.fuzz.targets import TARGETS

    # The product imports most things late, which would be after this.
    for module in pkgutil.walk_packages(cp.__path__, "cp."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def main(arguments: list[str]) -> None:
    """Runs until libFuzzer has had enough."""
    name, memory, *rest = arguments
    target = TARGETS[name]
    with open(memory, "r+b") as file:
        noted = mmap.mmap(file.fileno(), LARGEST + 4)

    def one(data: bytes) -> None:
        noted[:4] = len(data).to_bytes(4, "little")
        noted[4 : 4 + len(data)] = data
        faulthandler.dump_traceback_later(HANG, exit=True)
        began = time.process_time()
        target(data)
        check_time(time.process_time() - began)

    atheris.Setup([sys.argv[0], *rest], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
