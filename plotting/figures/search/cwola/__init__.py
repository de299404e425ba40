"""Figures of a search by weak supervision, each drawn from search.json alone."""
