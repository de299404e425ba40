"""Schemas: what a file's columns mean, and the columns that physics makes of them."""
