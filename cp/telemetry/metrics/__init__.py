"""Metrics, and their formats. Pure: no loop, no sockets; the clock is an argument.

Use all of it on one thread, that of the loop.
"""
