"""Simulated events of known physics."""
