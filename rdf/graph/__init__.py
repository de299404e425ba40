"""The graph of a sample's events: selections, scores, histograms, rows in memory and events on disk."""
