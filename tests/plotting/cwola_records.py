"""Records of searches by weak supervision whose numbers are chosen by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plotting.results.record_tables import SampleHeader
from plotting.results.search.cwola import (
    Calibrated,
    CountedCut,
    CwolaInputs,
    CwolaRecord,
    LargestWindow,
    MassTest,
    SearchedWindow,
)
from plotting.results.search.record import Limit, Sculpting, Slice, Tried

EDGES = (100.0, 110.0, 120.0, 130.0, 170.0, 180.0, 190.0, 200.0)
"""The region, from 130 to 170, is one bin."""


def calibrated(z: float, mean: float, width: float, *, above: int) -> Calibrated:
    """Return a calibration by 199 sets, whose significances are thrown with a fixed seed."""
    thrown = np.random.default_rng(1).normal(size=199)
    nulls = mean + width * (thrown - thrown.mean()) / thrown.std()
    return Calibrated(
        sets=199,
        mean=mean,
        width=width,
        above=above,
        p=(1 + above) / 200,
        z=(z - mean) / width,
        z_error=0.25,
        nulls=tuple(map(float, nulls)),
    )


def window() -> SearchedWindow:
    """Return a window of two cuts, the second of which selects by the classifier."""
    loose = CountedCut(
        fraction=1.0,
        selection=None,
        opened=True,
        counts=(1010, 890, 830, 2600, 480, 455, 395),
        expected=(1000.0, 905.0, 818.0, 2580.0, 490.0, 440.0, 400.0),
        events=2600,
        background=2580.0,
        background_error=31.0,
        deviance=3.25,
        ndf=4,
        z=0.34,
        p=0.37,
        calibrated=calibrated(0.34, 0.1, 1.2, above=90),
        limit=Limit(mass=150.0, observed=130.0, expected=(60.0, 80.0, 115.0, 160.0, 215.0)),
    )
    tight = CountedCut(
        fraction=0.01,
        selection="rank_cwola_1 >= 0.99",
        opened=True,
        counts=(10, 9, 8, 48, 4, 4, 0),
        expected=(10.0, 9.0, 8.2, 26.0, 4.9, 4.4, 4.0),
        events=48,
        background=26.0,
        background_error=3.2,
        deviance=8.5,
        ndf=4,
        z=3.28,
        p=5.2e-4,
        calibrated=calibrated(3.28, 0.28, 1.5, above=4),
        limit=Limit(mass=150.0, observed=38.0, expected=(6.0, 9.0, 13.0, 18.0, 25.0)),
        sculpting=Sculpting(
            slices=(
                Slice(low=100.0, high=130.0, events=2730, passed=273),
                Slice(low=130.0, high=170.0, events=2600, passed=520),
                Slice(low=170.0, high=200.0, events=1330, passed=133),
            ),
            chi2=150.5,
            ndf=2,
            ratio=2.0,
        ),
    )
    return SearchedWindow(
        name="cwola_1",
        low=130.0,
        high=170.0,
        begin=100.0,
        end=200.0,
        edges=EDGES,
        tried=(
            Tried(
                label="exp-polynomial 2",
                deviance=3.25,
                likelihood_ratio_p=0.4,
                goodness_p=0.5,
                spurious=0.1,
                reason=None,
            ),
        ),
        function="exp-polynomial 2",
        mass_test=MassTest(auc=0.512, error=0.011, outer_auc=0.495, outer_error=0.012),
        cuts=(loose, tight),
    )


def record() -> CwolaRecord:
    """Return a search of one window whose data were looked at."""
    return CwolaRecord(
        status="claimed",
        quote="The largest calibrated significance is 2.00.",
        configuration={"method": "cwola", "range": [100.0, 200.0]},
        configuration_sha256="0" * 64,
        unblinded=True,
        inputs=CwolaInputs(
            run="run", run_json_sha256="0" * 64, events_sha256="1" * 64, models_sha256="2" * 64, files={"x.root": None}
        ),
        sample=SampleHeader(name="x", title="A sample", doi=None, energy="13 TeV", luminosity=None, simulated=False),
        commit=None,
        versions={},
        observable="mjj",
        title="m_{jj}",
        unit="GeV",
        features=("a", "b"),
        folds=5,
        windows=(window(),),
        largest=LargestWindow(
            window="cwola_1", cut=0.01, z=2.0, global_p=0.04, above=7, sets=199, trials=2, bound=0.0455
        ),
        refused_sets=1,
        seed=1,
        timings={},
    )


def blinded() -> CwolaRecord:
    """Return the same search before the data are looked at: of the sidebands the cut that keeps all events is known."""
    found = window()
    loose, tight = found.cuts
    looked = {"events": None, "z": None, "p": None, "calibrated": None}
    beside = (*loose.counts[:3], None, *loose.counts[4:])
    hidden = CountedCut(
        fraction=tight.fraction, selection=tight.selection, opened=False, reason="not looked at while blinded"
    )
    loose = replace(
        loose,
        counts=beside,
        limit=Limit(mass=150.0, observed=None, expected=(60.0, 80.0, 115.0, 160.0, 215.0)),
        **looked,
    )
    return replace(
        record(),
        status="blinded",
        unblinded=False,
        quote="Blinded.",
        inputs=CwolaInputs(run="", run_json_sha256="", events_sha256="", models_sha256="", files={"x.root": None}),
        windows=(replace(found, cuts=(loose, hidden)),),
        largest=None,
        refused_sets=0,
    )


def scan() -> CwolaRecord:
    """Return a search of three windows, 30 apart, of which the second has a significance of three."""
    first = window()
    moved = []
    for number, z in ((0, (0.34, 3.28)), (1, (-1.1, 4.78)), (2, (0.7, -1.22))):
        shift = 30.0 * number
        cuts = tuple(
            replace(cut, z=each, calibrated=calibrated(each, mean, width, above=4))
            for cut, each, (mean, width) in zip(first.cuts, z, ((0.1, 1.2), (0.28, 1.5)), strict=True)
        )
        moved.append(
            replace(
                first,
                name=f"cwola_{number + 1}",
                low=first.low + shift,
                high=first.high + shift,
                begin=first.begin + shift,
                end=first.end + shift,
                edges=tuple(edge + shift for edge in first.edges),
                cuts=cuts,
            )
        )
    return replace(record(), windows=tuple(moved))
