"""What a unit is: its parameters, and the content of all that it runs and reads."""
