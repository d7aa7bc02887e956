"""The product measured against what users would pick instead, on the lab's real hosts: `python -m benchmarks`."""
