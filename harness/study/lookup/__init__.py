"""The study on a table of published results: searchers, by regret."""
