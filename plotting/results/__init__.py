"""What runs and evaluations left, read without matplotlib."""
