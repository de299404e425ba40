"""Histograms in a TBrowser, and in a page of JSROOT."""
