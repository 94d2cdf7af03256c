"""What keeps a server from serving."""

from __future__ import annotations


class ServeError(Exception):
    """A socket or port that the plan names cannot be opened; a sentence for people."""
