"""Batches on HTCondor: score a sample in many jobs, see how far they are, and merge their parts.

python -m condor submit --sample my.root --schema cms_nanoaod --models output/train/models --jobs 100
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from analysis.console.program import DONE, OptionParser, run_program
from analysis.console.summary import print_summary
from analysis.errors import ConfigurationError, near_names
from analysis.options import add_options, parse_configuration
from analysis.steps.given_models import OF_TRAINING
from condor.configuration import BatchConfiguration
from condor.folder import BatchFolder
from condor.merging import merge_all, merge_node
from condor.report import print_status, print_submission, say
from condor.status import read_status
from condor.submission import remove, resubmit, submit

DESCRIPTION = """\
Score a large sample in many HTCondor jobs and merge what they leave: the result is that of one analysis.run over all
events. The pool needs no shared file system: jobs get code, models and schema by file transfer."""

VERBS_EPILOG = """\
verbs:
  submit     plan a batch and submit it
  status     how far it is, by the event logs of its jobs; also long after its end
  resubmit   send what failed or is damaged again, or release jobs on hold
  merge      merge the parts by hand
  remove     take it out of the queue; what is done is kept

examples:
  python -m condor submit --sample my.root --schema cms_nanoaod --models output/train/models --jobs 100
  python -m condor status output/my
  python -m condor resubmit output/my --memory 4000

python -m condor VERB --help says more of each. CONDOR_CONFIG says which pool, as for HTCondor's own commands.
exit codes: 0 done, 2 bad command or configuration, 3 no pool, no permission, or data missing or damaged, 4 a job
failed or the batch ended without its result, 130 interrupted"""

SUBMIT_EPILOG = """\
examples:
  python -m condor submit --sample cms2016g_jetht --models output/train/models --events-per-job 2000000
  python -m condor submit --sample my.yaml --models output/train/models --jobs 50 --data transfer --memory 3000
  python -m condor submit --config batch.yaml --output output/second

A batch lies in DIR/batch of its --output DIR, and its result will be in DIR. A job reads its files by the paths that
they have here, unless HTCondor copies them (--data transfer). What models decide (--features, --folds, ...) cannot be
given. Every option can stand in the file of --config, as `key: value` with _ for -."""

STATUS_EPILOG = """\
A job is planned, idle (in the queue), running, held (on hold, with the reason), retrying (in the queue again), done,
failed (for good, with the machine and its last line on stderr) or removed.

exit codes: 0 all is well, done or on its way; 4 a job failed, or is on hold and will not be released by itself, or the
batch ended without its result; 3 no batch there"""

RESUBMIT_EPILOG = """\
Every part is checked, down to its checksums. Jobs whose part is missing or damaged are sent again, in a new round, with
the merges that need them. While a round runs, its jobs on hold are released instead.

examples:
  python -m condor resubmit output/my
  python -m condor resubmit output/my --memory 4000 --minutes 900"""

MERGE_EPILOG = """\
The DAG of a batch merges its parts itself. By hand it is needed where jobs were run otherwise. A part that is missing,
empty, damaged, or of another plan or model is refused by name.

example:
  python -m condor merge output/my"""

REQUESTS: Mapping[str, str] = {
    "memory": "memory of each job from now on, in MB",
    "disk": "disk of each job from now on, in MB",
    "minutes": "time of each job from now on",
}


def main(arguments: Sequence[str]) -> int:
    """Do what the verb says, and return the exit code."""
    verb, *rest = arguments or ["--help"]
    if verb in ("-h", "--help"):
        OptionParser("condor VERB ...", DESCRIPTION, VERBS_EPILOG).print_help()
        return DONE
    if verb not in VERBS:
        raise ConfigurationError(f"unknown verb {verb!r}; {near_names(verb, VERBS)} (see python -m condor --help)")
    return VERBS[verb](rest)


def _submit(arguments: Sequence[str]) -> int:
    parser = OptionParser("condor submit", "Plan a batch and submit it.", SUBMIT_EPILOG)
    add_options(parser, BatchConfiguration, OF_TRAINING)
    batch, plan = submit(parse_configuration(parser, BatchConfiguration, arguments))
    print_submission(batch, plan)
    return DONE


def _status(arguments: Sequence[str]) -> int:
    parser = OptionParser("condor status", "Say how far a batch is.", STATUS_EPILOG)
    status = read_status(_batch(_with_folder(parser).parse_args(arguments)))
    print_status(status)
    return status.exit_code


def _resubmit(arguments: Sequence[str]) -> int:
    parser = OptionParser("condor resubmit", "Send again what of a batch is not whole.", RESUBMIT_EPILOG)
    for name, meaning in REQUESTS.items():
        parser.add_argument(f"--{name}", metavar="N", type=_positive, help=meaning)
    options = _with_folder(parser).parse_args(arguments)
    batch = _batch(options)
    say(resubmit(batch, {name: value for name in REQUESTS if (value := getattr(options, name))}))
    return DONE


def _merge(arguments: Sequence[str]) -> int:
    parser = OptionParser("condor merge", "Merge the parts of a batch.", MERGE_EPILOG)
    parser.add_argument("--node", metavar="NAME", help="one merge of the plan only, as the DAG's nodes do")
    options = _with_folder(parser).parse_args(arguments)
    batch = _batch(options)
    command = shlex.join(["python", "-m", "condor", "merge", *arguments])
    if options.node:
        merge_node(batch, options.node, command)
        return DONE
    merge_all(batch, command)
    print_summary(batch.output)
    return DONE


def _remove(arguments: Sequence[str]) -> int:
    parser = OptionParser("condor remove", "Take a batch out of the queue; what is done is kept.")
    batch = _batch(_with_folder(parser).parse_args(arguments))
    removed = remove(batch)
    say(
        f"removed from the queue; python -m condor resubmit {batch.output} continues, and {batch.path} can be deleted"
        if removed
        else "nothing of it is in the queue"
    )
    return DONE


VERBS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "submit": _submit,
    "status": _status,
    "resubmit": _resubmit,
    "merge": _merge,
    "remove": _remove,
}


def _with_folder(parser: OptionParser) -> OptionParser:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the --output folder of the batch")
    return parser


def _batch(options: argparse.Namespace) -> BatchFolder:
    folder: Path = options.folder
    return BatchFolder(folder.absolute())


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


if __name__ == "__main__":
    sys.exit(run_program("condor", main, sys.argv[1:]))
