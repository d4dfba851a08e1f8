"""How networks learn: recipes, training loops, checkpoints, supernets, and scores of what was fitted."""
