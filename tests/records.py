"""Whole run.json files of a made-up run and of a made-up evaluation, for tests that care for a few of their keys."""

from __future__ import annotations

from typing import Any

from plotting.results.record_tables import (
    Agreement,
    Commit,
    Counts,
    Cut,
    Figures,
    File,
    LocalEngine,
    Machine,
    Mean,
    Quantity,
    Sample,
    SampleHeader,
    ScoringDetector,
    TestedDetector,
    TestedSample,
    Training,
    TrainingSample,
)
from plotting.results.run_record import (
    Ending,
    EvaluationFindings,
    EvaluationRecord,
    Origin,
    RunFindings,
    RunRecord,
    as_table,
)

DETECTOR = "isolation_forest"

ORIGIN = Origin(
    command="python -m analysis.run --sample synthetic",
    configuration={"seed": 4242, "vary": {}},
    started="2026-03-04T05:06:07+00:00",
    versions={"numpy": "9.8.7"},
    commit=Commit(hash="0123456789abcdef", clean=False),
    machine=Machine(processor="Abacus", system="Wood-1"),
)
SAMPLE = Sample(
    name="synthetic",
    title="Synthetic multijet events",
    doi="10.7483/OPENDATA.TEST.0001",
    energy="7 TeV",
    luminosity=0.032,
    simulated=False,
    files=(File(path="/data/synthetic.root", size=2_725_994, sha256="c980" * 16),),
    tree=None,
    record=554,
    licence="CC0-1.0",
    schema="synthetic",
)
TRAINING = Training(
    samples=(
        TrainingSample(
            sample="synthetic",
            title="Synthetic",
            simulated=False,
            tree="Events",
            files=("/data/synthetic.root",),
            sha256=("c980" * 16,),
            entries=(0, 25_000),
            events=20_000,
        ),
    ),
    part=None,
    train_events=None,
    events=20_000,
    train_on="all",
    folds=1,
)
ENDING = Ending(latent={}, figures=Figures(), timings={"training": 30.0, "scoring_loop": 10.0, "total": 40.0})
FEATURES = (Quantity(name="MR", title="M_{R}", unit="GeV"),)

RUN = RunRecord.of(
    ORIGIN,
    RunFindings(
        training=TRAINING,
        threads=2,
        warnings=(),
        features=FEATURES,
        ensemble=(DETECTOR,),
        min_votes=1,
        left_out_detectors={},
        history={},
        reconstruction={},
        sample=SAMPLE,
        engine=LocalEngine(),
        entries=(0, 25_000),
        plan=None,
        models_sha256="ce91" * 16,
        merged=None,
        observables=(),
        left_out=(),
        objects={},
        define={},
        cutflow=(Cut(name="all", events=25_000), Cut(name="finite", events=20_000)),
        non_finite={"MR": 5_000},
        counts=Counts(expected=25_000, processed=25_000, selected=20_000, normal=18_900, anomalous=1_100),
        detectors={DETECTOR: ScoringDetector(threshold=0.55, flagged=1_100, parity=0.0, notes=())},
        agreement=Agreement(flagged={DETECTOR: {DETECTOR: 1_100}}, votes=(18_900, 1_100)),
        variations={},
        means={"MR": Mean(normal=300.0, anomalous=600.0, ratio=2.0)},
        events_per_second=2_500,
        loop_seconds={"read": 10.0},
        compiled_by="g++ 12",
    ),
    ENDING,
)
EVALUATION = EvaluationRecord.of(
    ORIGIN,
    EvaluationFindings(
        training=TRAINING,
        threads=2,
        warnings=(),
        features=FEATURES,
        ensemble=(DETECTOR,),
        min_votes=1,
        left_out_detectors={},
        history={},
        reconstruction={},
        sample=SampleHeader(
            name="noise_synthetic",
            title="Synthetic multijet events against noise",
            doi=None,
            energy="7 TeV",
            luminosity=None,
            simulated=False,
        ),
        samples=(TestedSample.of(SAMPLE, RUN.cutflow),),
        part=None,
        detectors={DETECTOR: TestedDetector(parity=0.0, notes=())},
    ),
    ENDING,
)


def run_table(**changes: Any) -> dict[str, Any]:
    """Return what is in the run.json of the run, with other values under some keys."""
    return {**as_table(RUN), **changes}


def evaluation_table(**changes: Any) -> dict[str, Any]:
    """Return what is in the run.json of the evaluation, with other values under some keys."""
    return {**as_table(EVALUATION), **changes}


def sample_table(**changes: Any) -> dict[str, Any]:
    """Return what run.json says of the sample, with other values under some keys."""
    return {**as_table(SAMPLE), **changes}
