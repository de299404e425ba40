"""The page of a run's figures and numbers."""
