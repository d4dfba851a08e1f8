"""Boards: the values, tables and words that every study's board is made of."""
