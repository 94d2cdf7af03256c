"""The start without bytecode for this Python: from the sources, if it is newer than the Pythons of the build.

Python 2.7 must be able to read this file.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zipimport import zipimporter


def start(loader):  # type: (zipimporter) -> None
    """Run the program. `loader` is the one of the archive's `__main__`. Does not return."""
    why = ""
    if sys.version_info < (3, 10):
        version = "%d.%d" % sys.version_info[:2]
        why = "Python 3.10 or newer is needed, and %s is Python %s" % (sys.executable, version)
    elif sys.implementation.name != "cpython":
        why = "CPython is needed, and %s is %s" % (sys.executable, sys.implementation.name)
    elif sys.platform != "linux":
        why = "Linux is needed, and this is %s" % sys.platform
    if why:
        sys.exit("containerpilot: cannot start: " + why)
    from . import importer

    try:
        loader.get_data("_bootstrap/code/start-%d.bin" % importer.magic_number())
    except ImportError:
        pass
    except OSError:
        importer.start_from_sources(loader.archive, loader.get_data)
    # There is bytecode, but __main__ refused it.
    importer.refuse(importer.DamagedArchive(loader.archive))
