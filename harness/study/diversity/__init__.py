"""The study of diversity: pools of whole trainings, and what the diversity of a space does at equal terms."""
