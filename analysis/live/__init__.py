"""What only live detection needs."""
