"""Batches on HTCondor: a plan, its jobs and merges as a DAG, how far they are, and one result as of a single run."""

from rdf.startup import begin_program, started_module

if started_module() == "condor":
    begin_program()
