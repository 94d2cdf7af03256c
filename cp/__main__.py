"""`python -m cp`: the program from a source tree, for development."""

from __future__ import annotations

import sys

from cp.cli.main import main
from cp.platform.text import arguments

if __name__ == "__main__":
    sys.exit(main(arguments()))
