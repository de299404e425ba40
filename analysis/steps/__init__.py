"""Stages of a run in their order, from opening a sample to scoring its events, and the engines of its loops."""
