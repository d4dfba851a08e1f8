"""The work of the units of a study that trains."""
