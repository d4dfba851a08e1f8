"""Users' own tasks and domains."""
