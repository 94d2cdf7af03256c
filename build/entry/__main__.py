# The first code of the archive: compiled twice at every start, by whatever Python there is. So it is short, and Python 2.7
# can read it.
try:
    # A SIGTERM that reaches PID 1 before its handlers are installed is lost. A blocked one waits for them.
    import _signal
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    import _frozen_importlib_external, _imp, marshal
    magic = int.from_bytes(_frozen_importlib_external.MAGIC_NUMBER[:2], "little")
    start = __loader__.get_data("_bootstrap/code/start-%d.bin" % magic)
except (ImportError, AttributeError, OSError):
    start = None
if start and start[-8:] == _imp.source_hash(magic, start[:-8]):
    importer, modules = marshal.loads(start)
    start = None  # this module lives as long as the program
    names = {"__name__": "_bootstrap.importer"}
    exec(importer, names)
    names["start"](__loader__.archive, magic, modules)
else:
    import _bootstrap
    _bootstrap.start(__loader__)
