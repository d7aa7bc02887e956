"""Real hosts on this computer, for a first run, tests and benchmarks."""
