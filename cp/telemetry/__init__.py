"""Telemetry: metrics, and the port at which clients request metrics, status and readiness."""
