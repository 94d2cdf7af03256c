"""Encodings of other programs: Go's numbers, percent-encoding, names of metrics. Pure."""
