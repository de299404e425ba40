"""Figures of a run, drawn from the files that it wrote: no ROOT, no event loop, no models."""
