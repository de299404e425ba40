"""What brings a batch to the pool: its folder is prepared, its DAG submitted, submitted again, or removed."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Container, Mapping
from pathlib import Path, PurePath

from analysis.batch import BatchInput, inspect_sample
from analysis.errors import ConfigurationError
from analysis.output.folder import staged_output
from analysis.samples.inputs import inputs_of
from analysis.steps.shipping import cache_archive, code_archive
from condor.configuration import BatchConfiguration
from condor.descriptions import job_attributes, merge_description, score_description
from condor.errors import BatchInTheWay
from condor.folder import BATCH, BatchFolder, missing_nodes
from condor.plan import Node, Plan, PlannedFile, Requests, dag_lines
from condor.pool import Schedd
from rdf.drafts import whole_file
from rdf.yaml_tables import table_text

JOB_DISK = 1000
"""Disk of a job in MB, beside its data and results: code, compiled libraries, models."""
BYTES_PER_EVENT = 200
"""Disk that an event takes while it is written, in bytes, with about 30 columns and room to spare."""

_SEPARATORS = set(', "\\\n\t$')
"""What may not be in the path of a file that HTCondor is to copy."""

INPUTS = ("code.tar.gz", "compiled.tar.gz", "models", "run.yaml", "sample")
"""What every job gets."""


def submit(configuration: BatchConfiguration) -> tuple[BatchFolder, Plan]:
    """Plan a batch, prepare its folder and submit it.

    What a `submit` that was cut short left behind is replaced, if it was going to be the same batch.

    Raises:
        BatchInTheWay: the folder holds a batch that was submitted already, or another one.
        NoPool, RefusedByPool: there is no schedd, or it refuses.
        AnalysisError, rdf.errors.*, models.errors.*: whatever would end every job.
    """
    schedd = Schedd()
    data = inspect_sample(configuration)
    batch = BatchFolder((configuration.output or Path("output") / data.data.name).absolute())
    _refuse_submitted(batch, schedd)  # its merge may be writing to the folder just now
    with staged_output(batch.output, inputs_of(configuration, [data.data])) as staging:
        _refuse_submitted(batch, schedd)
        plan = prepare(configuration, data, staging / BATCH, batch.output)
        replaced = staging / "replaced"
        if batch.path.exists():
            _refuse_other(batch, plan)
            batch.path.rename(replaced)  # a removal that is cut short leaves half a batch, here where nobody minds
        (staging / BATCH).rename(batch.path)
        shutil.rmtree(replaced, ignore_errors=True)
        schedd.submit_dag(batch.round(1).dag, batch.path, 1)
    return batch, plan


def resubmit(batch: BatchFolder, requests: Mapping[str, int]) -> str:
    """Send what of a batch is not whole, in a new round; or release the jobs that wait for it, where a round runs.

    Args:
        batch: folder of the batch that was submitted.
        requests: of its jobs that are to change.

    Returns:
        What was done, in words.

    Raises:
        NoBatch: there is none.
        BatchInTheWay: it runs, and no job is on hold.
        NoPool, RefusedByPool: there is no schedd, or it refuses.
    """
    plan = batch.read_plan()
    schedd = Schedd()
    changed = plan.model_copy(update={"requests": plan.requests.model_copy(update=dict(requests))})
    with staged_output(batch.output):
        for running in schedd.running_dags(batch.path).values():
            if released := schedd.release(running, _changes(plan.requests, changed.requests)):
                _write_descriptions(changed, batch.path, batch.output)
                return f"{released:,} job{'s' * (released > 1)} on hold released"
            raise BatchInTheWay(
                f"the batch in {batch.output} is running, and no job is on hold; see python -m condor status "
                f"{batch.output}, or stop it with python -m condor remove {batch.output}"
            )
        missing = missing_nodes(plan, lambda node: batch.is_whole(plan, node))
        if not missing:
            return "nothing to do: the result is whole"
        _write_descriptions(changed, batch.path, batch.output)
        number = 1 + max((r.number for r in batch.rounds() if r.dagman.exists()), default=0)
        dag = batch.round(number).dag
        _write_dag(plan, dag, missing)
        schedd.submit_dag(dag, batch.path, number)
    jobs = sum(node.level == 0 for node in missing)
    return f"round {number}: {jobs:,} of {plan.jobs:,} jobs and {len(missing) - jobs:,} merges submitted"


def remove(batch: BatchFolder) -> int:
    """Take a batch out of the queue; return how many DAGs that were.

    Raises:
        NoBatch: there is none.
        NoPool, RefusedByPool: there is no schedd, or it refuses.
    """
    batch.read_plan()
    schedd = Schedd()
    running = schedd.running_dags(batch.path)
    for dag in running.values():
        schedd.remove(dag)
    return len(running)


def prepare(configuration: BatchConfiguration, data: BatchInput, folder: Path, output: Path) -> Plan:
    """Write all that a batch needs, the DAG of its first round included, and return its plan.

    Args:
        configuration: of the batch.
        data: the sample of the batch.
        folder: that will be the batch folder; made.
        output: absolute path of the folder of the result.

    Raises:
        ConfigurationError: more jobs than events, or files that HTCondor cannot copy to jobs.
    """
    for name in ("sample", "logs", "parts"):
        (folder / name).mkdir(parents=True)
    places = _places(data) if configuration.data == "transfer" else {}
    sample = data.write(folder / "sample", {path: f"../{name}" for path, name in places.items()})
    _copy_models(configuration.models, folder / "models")
    code = code_archive()
    (folder / "code.tar.gz").write_bytes(code)
    (folder / "compiled.tar.gz").write_bytes(cache_archive(data.libraries))
    shutil.copyfile(Path(__file__).with_name("score.sh"), folder / "score.sh")
    (folder / "score.sh").chmod(0o755)
    job_configuration = {**configuration.of_jobs(), "sample": f"sample/{sample.name}", "models": "models"}

    entries, jobs = _shares(configuration, sum(data.events))
    identity = {
        "run": job_configuration,
        "entries": entries,
        "jobs": jobs,
        "models": data.models_sha256,
        "code": hashlib.sha256(gzip.decompress(code)).hexdigest(),
        "sample": _texts(folder / "sample"),
    }
    plan = Plan(
        id=hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16],
        sample=data.data.name,
        entries=entries,
        jobs=jobs,
        fan_in=configuration.fan_in,
        files=tuple(
            PlannedFile(path=path, events=events)
            for path, events in zip(data.files, data.events, strict=True)
            if places
        ),
        python=str(configuration.python),
        requests=Requests(
            memory=configuration.memory,
            disk=configuration.disk or _disk(data, (entries[1] - entries[0]) // jobs, bool(places)),
            minutes=configuration.minutes,
            retries=configuration.retries,
        ),
    )
    job_configuration |= {"plan": plan.id, "threads": 1}
    if data.trusted_sha256 is not None:
        job_configuration["trusted_sha256"] = data.trusted_sha256
    (folder / "run.yaml").write_text(table_text(job_configuration), encoding="utf-8")
    _write_descriptions(plan, folder, output)
    _write_dag(plan, folder / BatchFolder(output).round(1).dag.name)
    return plan


def _refuse_submitted(batch: BatchFolder, schedd: Schedd) -> None:
    """Refuse a folder whose batch the schedd has or had: asked is the schedd, too, lest a `submit` was cut short."""
    if schedd.running_dags(batch.path) or any(r.dagman.exists() for r in batch.rounds()):
        raise BatchInTheWay(
            f"the batch in {batch.output} was submitted already; see python -m condor status {batch.output}, send what "
            f"is missing with python -m condor resubmit {batch.output}, or choose another folder with --output"
        )


def _refuse_other(batch: BatchFolder, plan: Plan) -> None:
    other = batch.read_plan()
    if other.id != plan.id:
        raise BatchInTheWay(
            f"{batch.path} holds another batch, prepared and not submitted ({other.jobs} jobs, entries "
            f"{other.entries[0]}:{other.entries[1]} of {other.sample}, plan {other.id}); delete that folder, or choose "
            "another one with --output"
        )


def _shares(configuration: BatchConfiguration, available: int) -> tuple[tuple[int, int], int]:
    """Return the entries of a batch, half-open, and the number of jobs that share them."""
    first, last = configuration.entries or (0, available)
    if last > available:
        raise ConfigurationError(f"--entries {first}:{last}: the sample has {available} events")
    if configuration.max_events is not None:
        last = min(last, first + configuration.max_events)
    jobs = configuration.jobs or -(-(last - first) // (configuration.events_per_job or 1))
    if jobs > last - first:
        raise ConfigurationError(f"--jobs: {jobs} jobs for {last - first} events; ask for fewer")
    return (first, last), jobs


def _copy_models(source: Path, target: Path) -> None:
    """Copy models, but nothing that a link leads to elsewhere; jobs check the checksums."""
    target.mkdir()
    for path in source.iterdir():
        if path.suffix in (".json", ".onnx") and path.is_file() and path.resolve().parent == source.resolve():
            shutil.copyfile(path, target / path.name)


def _places(data: BatchInput) -> dict[str, str]:
    """Return the files that HTCondor is to copy to jobs: path -> name in the sandbox; none that is on a server."""
    places = {path: PurePath(path).name for path in data.files if "://" not in path}
    count = Counter([*places.values(), *INPUTS])
    for path, name in places.items():
        if odd := sorted(_SEPARATORS & set(path)):
            raise ConfigurationError(f"--data transfer: {path}: HTCondor takes {odd[0]!r} otherwise; rename the file")
        if count[name] > 1:
            raise ConfigurationError(f"--data transfer: {path} is not the only {name} in the sandbox; rename the file")
    return places


def _disk(data: BatchInput, events: int, transferred: bool) -> int:
    """Return the disk that a job over a number of events needs, in MB."""
    sizes = [file.size or 0 for file in data.data.files if transferred]
    per_file = max(1, min(data.events)) if sizes else 1
    copied = sum(sorted(sizes)[-(2 + events // per_file) :])
    return JOB_DISK + (events * BYTES_PER_EVENT + copied) // 1_000_000


def _texts(folder: Path) -> dict[str, str]:
    """Return all files of a folder: relative path -> text."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in files}


def _write_descriptions(plan: Plan, folder: Path, output: Path) -> None:
    """Write the plan, and what HTCondor is told of its jobs."""
    with whole_file(folder / "plan.json") as draft:  # without a plan a batch is lost
        draft.write_text(plan.model_dump_json(indent=1), encoding="utf-8")
    (folder / "score.sub").write_text(score_description(plan, INPUTS), encoding="utf-8")
    (folder / "merge.sub").write_text(merge_description(output), encoding="utf-8")


def _write_dag(plan: Plan, dag: Path, wanted: Container[Node] | None = None) -> None:
    """Write the description of a DAG of some nodes, or of all, which appears as a whole."""
    with whole_file(dag) as draft, draft.open("w", encoding="utf-8") as file:
        file.writelines(dag_lines(plan, wanted))


def _changes(requests: Requests, changed: Requests) -> dict[str, str]:
    """Return the attributes of a job in the queue that differ, with their new values."""
    before = job_attributes(requests)
    return {name: value for name, value in job_attributes(changed).items() if value != before[name]}
