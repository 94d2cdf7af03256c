"""The log: formats, channels that never block their caller, and redaction of secrets."""
