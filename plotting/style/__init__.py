"""How figures look and how things are worded."""
