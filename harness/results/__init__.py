"""Ways in and out of results: frames for notebooks, files that other tools read, and files of theirs."""
