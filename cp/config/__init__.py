"""Compiles the text of a configuration to a plan. Pure: no socket, no process, no clock."""
