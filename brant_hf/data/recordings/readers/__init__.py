"""Readers, one module a format: what a file holds, as a `Source`."""
