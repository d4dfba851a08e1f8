"""Tables of published results: cards, files, rows."""
