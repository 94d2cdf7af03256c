"""The engine: runs a plan with processes, timers and events, on one thread."""
