"""Figures of a search, each drawn from search.json alone."""
