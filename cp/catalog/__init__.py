"""Catalogues: where services are registered, and where their instances are found."""
