"""Results that runs and evaluations left, read without matplotlib."""
