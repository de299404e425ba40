"""The programs a user starts, the sample catalogue and the run configuration."""

from rdf.startup import begin_program, started_module

if started_module().startswith("analysis."):
    begin_program()
