"""Networks of the search spaces and of the fixed baselines."""
