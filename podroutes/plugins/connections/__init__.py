"""Connection plugins: how a task reaches a host."""
