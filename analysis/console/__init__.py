"""How a program talks and ends."""
