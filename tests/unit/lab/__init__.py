"""Unit tests of `lab`."""
