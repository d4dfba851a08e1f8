"""Files that came from elsewhere: archives, arrays, columns and pickles, read within limits."""
