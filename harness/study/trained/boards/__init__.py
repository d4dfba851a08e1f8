"""Boards, verdicts and comparisons of a study that trains."""
