"""Live detection: the arrivals, chunks, worker processes and parts of a watch."""
