"""The conformance kit behind `harness check`, and what `doctor` and `reproduce` look at."""
