"""Processor plugins: what happens while tasks run."""
