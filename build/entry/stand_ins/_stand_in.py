# Before __main__ the interpreter imports modules of the standard library, of which it uses almost nothing: a third of a
# start on Python 3.10 and 3.11, and more if they have no bytecode. It searches the archive first. The replacements
# there import the real module when code needs more of it, and are removed when the program begins.
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
