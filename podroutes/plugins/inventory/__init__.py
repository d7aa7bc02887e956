"""Nornir inventory plugins: where hosts come from."""
