"""Running units: the processes that do, and what ends those that take too much."""
