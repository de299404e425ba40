"""Data against simulation: the histograms of several runs, put together."""
