"""Corpora and questions that several tasks share."""
