from _stand_in import stand_in
__getattr__ = stand_in(__name__)


def contextmanager(function):
    return function
