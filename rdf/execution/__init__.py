"""Event loops, on this machine and on Dask."""
