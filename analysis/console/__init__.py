"""Consoles and options, an error as one line, exit codes: how a program talks and ends."""
