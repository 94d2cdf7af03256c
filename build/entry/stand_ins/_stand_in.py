# On its way to __main__ the interpreter imports modules of the standard library of which it uses next to nothing there:
# a third of a start on Python 3.10 and 3.11, and more where they have no bytecode. It looks into the archive first. What
# replaces them there imports the module itself when code needs more of it, and is gone when the program begins.
# Python 2.7 can read this.
import sys

ARCHIVE = __loader__.archive


def stand_in(name):
    this = sys.modules[name]

    def real():
        if sys.modules.get(name) is this:
            del sys.modules[name]
        path = list(sys.path)
        sys.path[:] = [each for each in path if each != ARCHIVE]
        try:
            return __import__(name)
        finally:
            sys.path[:] = path

    def __getattr__(attribute):
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return getattr(real(), attribute)

    if sys.version_info < (3, 10):
        real()
    return __getattr__
