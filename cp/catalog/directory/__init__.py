"""The embedded catalogue: a folder with a file per instance."""
