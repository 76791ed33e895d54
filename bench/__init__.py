"""Benchmarks: what the system does per second, and what that costs. Never timed tests."""
