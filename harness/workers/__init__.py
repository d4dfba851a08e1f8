"""The processes that perform units, and what ends those that take too much."""
