"""Tasks and domains: what a benchmark is, before any of its data is read."""
