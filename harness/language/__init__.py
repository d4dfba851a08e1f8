"""lm-eval both ways: its models and tasks in a suite here, and our models and tasks in lm-eval.

lm-eval takes seconds to import, so nothing here is imported before a verb needs it, and this file imports
nothing.
"""
