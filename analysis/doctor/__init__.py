"""The doctor: what the toolkit needs of this machine, what is missing, and which command mends it."""
