"""Style: how figures look, and how names and numbers are worded."""
