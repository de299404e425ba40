"""Detectors: each fits, scores and becomes a network."""
