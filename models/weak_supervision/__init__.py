"""Weak supervision: classifiers that learn from the mass of events, and from no label."""
