"""Searches by weak supervision: classifiers of a region against its sidebands, calibrated by background-only data."""
