"""Drift: its classes, its detection, its history and its explanation."""
