"""The control socket: its file, who may use it, its requests and their answers."""
