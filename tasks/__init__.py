"""Nornir tasks, one capability a file."""
