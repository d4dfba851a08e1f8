"""Benchmark-and-evaluation harness for cross-domain generalization of searched architectures."""

__version__ = "0.1.0"
