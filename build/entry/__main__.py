# The first code of the archive: compiled at every start, by whatever Python there is. So it is short, and Python 2.7 can read it.
start = None
try:
    # A SIGTERM that reaches PID 1 before its handlers stand is lost for good. A blocked one waits for them.
    import _signal
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    import _imp, marshal
    from _frozen_importlib_external import MAGIC_NUMBER
    magic = int.from_bytes(MAGIC_NUMBER[:2], "little")
    start = __loader__.get_data("_bootstrap/code/start-%d.bin" % magic)
except (ImportError, AttributeError, OSError):
    pass
# The hash is of every 61st byte. A hole that a broken copy left shows in it too, in a fifth of the time.
if start and start[-8:] == _imp.source_hash(magic, start[:-8:61]):
    importer, modules = marshal.loads(start)
    names = {"__name__": "_bootstrap.importer"}
    exec(importer, names)
    names["start"](__loader__.archive, magic, modules)
else:
    import _bootstrap
    _bootstrap.start(__loader__)
