"""Runs the application of a container at PID 1, watches it, registers it in a service catalogue, stops it in order."""

__version__ = "4.0.0.dev0"
