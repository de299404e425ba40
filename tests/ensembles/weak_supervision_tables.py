"""Tables of searches by weak supervision: what they find, and what they say where there is nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.search.cwola.selections import SpectrumSelection
from tests.ensembles.plan import Plan
from tests.ensembles.samples import Numbers, Sample, diluted_continuum, olympics, upsilon
from tests.ensembles.weak_supervision import (
    Improvement,
    background_only,
    calm_windows,
    found_excesses,
    lhc_olympics_idealised,
    tested_mass,
)

SIGNALS_IN_MIXTURE = (395, 200, 100, 50)
SIGNALS_WITHOUT_LABELS = (1500, 772, 0)
MOVED = (0, 120)
TELLING = 0.1


def idealised_table(plan: Plan) -> Iterator[str]:
    """Yield the rows of classifiers that tell a mixture from a background of its own."""
    yield "| signals | learned from | seeds | max SIC | of each seed | SIC at 1e-3 | of each seed | SIC at 1e-2 | AUC |"
    yield "|--|--|--|--|--|--|--|--|--|"
    seeds = plan.seeds(5)
    for name, is_told in (("mixture", False), ("labels", True)):
        for signals in SIGNALS_IN_MIXTURE:
            found = [
                lhc_olympics_idealised(plan.data, signals, seed, is_told=is_told, threads=plan.threads)
                for seed in seeds
            ]
            yield _improvement_row(f"{signals} | {name}", seeds, found)


def olympics_table(plan: Plan) -> Iterator[str]:
    """Yield the rows of the LHC Olympics without labels."""
    yield from _searches(
        plan,
        5,
        {f"{signals} signals": [olympics(plan.data, signals)] for signals in SIGNALS_WITHOUT_LABELS},
    )


def windows_table(plan: Plan) -> Iterator[str]:
    """Yield the rows of windows without a signal."""
    yield "| window [TeV] | seed | all events | 10 % | 1 % | 0.3 % |"
    yield "|--|--|--|--|--|--|"
    rows = []
    for begin, z in calm_windows(plan.data, 0):
        rows.append(z)
        yield f"| {begin:.3f} to {begin + 0.15:.3f} | 0 | {_numbers(z)} |"
    yield f"| mean of {len(rows)} | | {_numbers(np.mean(rows, axis=0))} |"


def upsilon_table(plan: Plan) -> Iterator[str]:
    """Yield the rows of the anti-isolated Upsilon(1S)."""
    yield from _searches(plan, 8, {"Upsilon(1S)": [upsilon(plan.data)]})


def dilution_table(plan: Plan) -> Iterator[str]:
    """Yield the rows of events of the Upsilon(1S) that are moved into the continuum: drawn anew for each seed."""
    samples = {
        f"{moved} events moved": [diluted_continuum(plan.data, moved, seed) for seed in plan.seeds(5)]
        for moved in MOVED
    }
    yield from _searches(plan, 5, samples)


def mass_table(plan: Plan) -> Iterator[str]:
    """Yield the rows of features to which a part of the mass is added."""
    yield "| features | AUC between the sidebands | error | passed |"
    yield "|--|--|--|--|"
    for what, telling in (("as they are", 0.0), (f"{TELLING:g} mjj added to two", TELLING)):
        test = tested_mass(olympics(plan.data, 772, telling=telling), 0)
        yield f"| {what} | {test.auc:.3f} | {test.error:.3f} | {'yes' if test.passed else 'no'} |"
    yield ""
    yield from _searches(plan, 3, {f"{TELLING:g} mjj added, not refused": [olympics(plan.data, 772, telling=TELLING)]})


def null_upsilon_table(plan: Plan) -> Iterator[str]:
    """Yield the rows of background-only sets with the features of the anti-isolated dimuons."""
    yield from _null(plan, upsilon(plan.data), 400)


def null_olympics_table(plan: Plan) -> Iterator[str]:
    """Yield the rows of background-only sets with the features of the LHC Olympics."""
    yield from _null(plan, olympics(plan.data, 0), 100)


def _null(plan: Plan, sample: Sample, whole: int) -> Iterator[str]:
    """Yield a row for each cut."""
    sets = plan.sets or max(plan.number(whole), 40)
    null = background_only(sample, sets, 1, plan.threads)
    yield "| selection | sets | refused | mean Z | width | KS probability of the halves | held back with p < 0.05 |"
    yield "|--|--|--|--|--|--|--|"
    for cut in null.cuts:
        yield (
            f"| {_selection_text(cut.selection)} | {sets} | {null.refused} | {cut.mean:.3f} | {cut.width:.3f} | "
            f"{cut.ks:.3g} | {cut.below} of {cut.sets} |"
        )


def _searches(plan: Plan, whole: int, samples: dict[str, list[Sample]]) -> Iterator[str]:
    """Yield a row for each seed and one of the means, of samples that are the same for all seeds or one for each."""
    seeds = plan.seeds(whole)
    selections = next(iter(samples.values()))[0].configuration.selections()
    yield f"| sample | seed | {' | '.join(map(_selection_text, selections))} |"
    yield f"|--|--|{'--|' * len(selections)}"
    for name, taken in samples.items():
        if len(taken) == 1:
            z = found_excesses(taken[0], seeds, plan.threads)
        else:
            z = np.concatenate([found_excesses(each, [seed], 1) for each, seed in zip(taken, seeds, strict=True)])
        for seed, row in zip(seeds, z, strict=True):
            yield f"| {name} | {seed} | {_numbers(row)} |"
        spread = z.std(axis=0, ddof=1)
        means = " | ".join(f"{mean:.2f} (sd {sd:.2f})" for mean, sd in zip(z.mean(axis=0), spread, strict=True))
        yield f"| {name} | mean | {means} |"


def _selection_text(selection: SpectrumSelection) -> str:
    if selection.by_ratio:
        return "weighted"
    return "all events" if selection.fraction == 1 else f"{100 * selection.fraction:g} %"


def _improvement_row(what: str, seeds: Sequence[int], found: Sequence[Improvement]) -> str:
    largest, at_1e3 = [each.largest for each in found], [each.at_1e3 for each in found]
    at_1e2, auc = [each.at_1e2 for each in found], [each.auc for each in found]
    return (
        f"| {what} | {seeds[0]} to {seeds[-1]} | {_spread(largest, 2)} | {_each(largest)} | {_spread(at_1e3, 2)} | "
        f"{_each(at_1e3)} | {_spread(at_1e2, 2)} | {_spread(auc, 3)} |"
    )


def _spread(values: Sequence[float], digits: int) -> str:
    return f"{np.mean(values):.{digits}f} (sd {np.std(values, ddof=1):.{digits}f})"


def _each(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


def _numbers(values: Numbers) -> str:
    return " | ".join(f"{value:.2f}" for value in values)
