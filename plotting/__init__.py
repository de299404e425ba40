"""Figures of a run, drawn from the files that it wrote: no ROOT, no event loop, no models."""

from rdf.startup import begin_program, started_module

if started_module() == "plotting":  # not one of the processes that it starts
    begin_program()
