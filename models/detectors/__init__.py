"""Detectors, one a module: each is trained, scores events and becomes a network."""
