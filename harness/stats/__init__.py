"""Statistics as pure functions of arrays; every random draw comes from a generator argument."""
