"""What a run leaves: folder, record, checksums, and parts put together."""
