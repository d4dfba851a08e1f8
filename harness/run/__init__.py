"""What a unit is, what it left, and what of that is still true."""
