"""placeholder until the faults are in."""
