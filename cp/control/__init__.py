"""The control socket: who may use it, what it is asked, and how it answers."""
