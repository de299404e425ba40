"""Files, of whatever format, as trees that a graph reads."""
