"""Benchmarks: how long the plan takes beside other tools on the same work. `python -m benchmarks --help`."""
