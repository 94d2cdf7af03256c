"""Consul, through the HTTP API of its agent."""
