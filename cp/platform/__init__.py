"""Functions of the kernel and the C library that Python's standard library does not have."""
