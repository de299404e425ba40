"""Spectra: fits, significances, toys and limits, and the likelihoods that others can read."""
