"""What a graph of events does: selects, scores, fills histograms, keeps rows."""
