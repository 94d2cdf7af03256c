"""Metrics: what is counted, and how it is exposed. Pure: no loop, no sockets; the clock is an argument.

All of it belongs to one thread, that of the loop.
"""
