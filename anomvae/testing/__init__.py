"""Simulated scenes and seasons, for samples, the demo, tests and benchmarks."""
