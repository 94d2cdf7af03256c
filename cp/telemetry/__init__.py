"""Telemetry: what is counted, and the port on which others scrape and ask."""
