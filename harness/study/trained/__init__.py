"""The study that trains: searched networks and fixed baselines, scored on held-out domains."""
