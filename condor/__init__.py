"""Batches on HTCondor: a plan, its jobs and merges as a DAG, how far they are, and one result as of a single run."""
