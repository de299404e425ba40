"""Results of a run: the output folder, its record and checksums, and parts merged into one result."""
