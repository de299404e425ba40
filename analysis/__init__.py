"""The programs a user starts, the sample catalogue and the run configuration."""
