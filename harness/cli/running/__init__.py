"""What `harness eval` does with the plan of a suite."""
