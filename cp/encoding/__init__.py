"""How other programs write numbers and texts: Go's numbers, percent-encoding, names of metrics. Pure."""
