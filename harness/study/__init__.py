"""Studies: what a suite asks for, and the way from its settings to units, boards and verdicts."""
