"""Planning: what a host has against what it should have, one capability a file; pure functions."""
