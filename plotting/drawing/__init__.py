"""Processes that draw, and the files that figures become."""
