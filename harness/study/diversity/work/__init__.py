"""The work of units of a study of diversity."""
