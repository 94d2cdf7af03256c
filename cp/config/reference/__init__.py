"""The table of keys: each key of both dialects, described once, as data.

No start loads it, and no reader of a configuration does. The tables of the reference pages are generated from it.
"""
