"""The same likelihood in HistFactory: a check of a significance by other code, and a workspace that RooStats reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rdf.code.interpreter import ROOT
from rdf.errors import StatisticsFailed
from rdf.statistics.fitted import SignalError, Templates
from rdf.statistics.spectrum import Numbers

CHANNEL, OBSERVABLE, SIGNAL = "spectrum", "bin", "signal_events"
"""Names in the workspace: the channel, the number of a bin, and the parameter of interest."""

RANGE = 40.0
"""Standard deviations by which a parameter of the background may move."""

START = 0.5
"""Standard deviations off the minimum at which a fit starts, so that it has to find the minimum by itself."""


@dataclass(frozen=True)
class CrossCheck:
    """A significance by HistFactory.

    Attributes:
        z: signed root of the likelihood ratio.
        signal: fitted events.
    """

    z: float
    signal: float


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep RooFit's messages to errors, and hide what HistFactory prints of negative bins, as derivatives have them."""
    service, printed = ROOT.RooMsgService.instance(), ROOT.std.ostringstream()
    level, silent = service.globalKillBelow(), service.silentMode()
    service.setGlobalKillBelow(ROOT.RooFit.FATAL)
    service.setSilentMode(True)
    console = ROOT.std.cout.rdbuf(printed.rdbuf())
    try:
        yield
    finally:
        ROOT.std.cout.rdbuf(console)
        service.setGlobalKillBelow(level)
        service.setSilentMode(silent)


def _histogram(name: str, values: Numbers) -> Any:
    """Return a histogram of the bins that are looked at, one after the other."""
    histogram = ROOT.TH1D(name, "", len(values), 0, len(values))
    for i, value in enumerate(values, 1):
        histogram.SetBinContent(i, float(value))
    ROOT.SetOwnership(histogram, False)  # HistFactory takes it for its own
    return histogram


def measurement(templates: Templates, with_signal: bool) -> Any:
    """Return HistFactory's description of a fit.

    The background is its expectation and, for each parameter, a template that is added freely times a number: no
    constraint, since the spectrum itself has told the parameters, and would count twice.

    Args:
        templates: of the fit.
        with_signal: whether there is a signal.
    """
    used = templates.spectrum.used
    factory = ROOT.RooStats.HistFactory
    channel = factory.Channel(CHANNEL)
    channel.SetData(_histogram("data", templates.spectrum.counts[used]))

    def sample(name: str, values: Numbers) -> Any:
        made = factory.Sample(name)
        made.SetHisto(_histogram(name, values[used]))
        made.SetNormalizeByTheory(False)
        return made

    channel.AddSample(sample("background", templates.background))
    for i, shift in enumerate(templates.shifts):
        moved = sample(f"shape_{i}", shift)
        moved.AddNormFactor(f"shape_{i}", START, -RANGE, RANGE)
        channel.AddSample(moved)
    described = factory.Measurement("search", "search")
    if with_signal:
        signal = sample("signal", templates.shape)
        statistical = float(np.sqrt(templates.background[used].max())) + 1
        reach = 5 * abs(templates.signal) + 10 * statistical
        signal.AddNormFactor(SIGNAL, templates.signal + START * statistical, -reach, reach)
        for error in templates.errors:
            _add_error(signal, error, templates.shape[used], error.shift[used])
        channel.AddSample(signal)
    described.SetPOI(SIGNAL if with_signal else "shape_0")
    described.SetLumi(1.0)
    described.SetLumiRelErr(0.01)
    described.AddConstantParam("Lumi")
    described.AddChannel(channel)
    return described


def _add_error(signal: Any, error: SignalError, shape: Numbers, shift: Numbers) -> None:
    """Give a signal a nuisance parameter, which moves its events and its shape together."""
    if error.log_yield:
        signal.AddOverallSys(error.name, math.exp(-error.log_yield), math.exp(error.log_yield))
    if shift.any():
        varied = ROOT.RooStats.HistFactory.HistoSys()
        varied.SetName(error.name)
        varied.SetHistoLow(_histogram(f"{error.name}_low", shape - shift))
        varied.SetHistoHigh(_histogram(f"{error.name}_high", shape + shift))
        signal.AddHistoSys(varied)


def workspace(described: Any) -> Any:
    """Return the workspace of a measurement, with model and data."""
    with _quiet():
        made = ROOT.RooStats.HistFactory.HistoToWorkspaceFactoryFast.MakeCombinedModel(described)
        ROOT.SetOwnership(made, True)
        return made


def minimum(made: Any) -> tuple[float, float | None]:
    """Minimise the negative log-likelihood of a workspace.

    Returns:
        Its value at the minimum, and the fitted signal, None where there is none.

    Raises:
        StatisticsFailed: the minimiser does not come to an end.
    """
    with _quiet():
        config = made.obj("ModelConfig")
        nll = config.GetPdf().createNLL(
            made.data("obsData"),
            ROOT.RooFit.GlobalObservables(config.GetGlobalObservables()),
            ROOT.RooFit.Offset("none"),
        )
        minimiser = ROOT.RooMinimizer(nll)
        minimiser.setPrintLevel(-1)
        minimiser.setEps(1e-3)
        minimiser.setStrategy(1)
        status = minimiser.minimize("Minuit2", "Migrad")
        value, signal = float(nll.getVal()), made.var(SIGNAL)
    if status not in (0, 1) or not np.isfinite(value):
        raise StatisticsFailed(f"HistFactory's fit ends with status {status}; repeat the search with another range")
    return value, float(signal.getVal()) if signal else None


def cross_check(without: Templates, with_signal: Templates) -> CrossCheck:
    """Return the significance of a signal by HistFactory, whose two fits start from the templates of ours.

    Where one of our fits were not at its minimum, HistFactory's would find a lower one.

    Args:
        without: the fit without a signal.
        with_signal: the fit with one.

    Raises:
        StatisticsFailed: a fit of HistFactory does not come to an end.
    """
    null, _ = minimum(workspace(measurement(without, False)))
    best, signal = minimum(workspace(measurement(with_signal, True)))
    assert signal is not None
    # Each constraint, a normal distribution, adds this where its parameter is 0, as it is without a signal.
    null += len(with_signal.errors) * math.log(2 * math.pi) / 2
    return CrossCheck(float(np.copysign(np.sqrt(max(2 * (null - best), 0.0)), signal)), signal)


def write_workspace(made: Any, path: Path) -> None:
    """Write a workspace with ModelConfig and data to a ROOT file."""
    with _quiet():
        made.writeToFile(str(path), True)


def read_workspace(path: Path) -> Any:
    """Read a workspace from a ROOT file.

    Raises:
        StatisticsFailed: the file holds none.
    """
    with _quiet():
        file = ROOT.TFile.Open(str(path))
        keys = [str(key.GetName()) for key in file.GetListOfKeys() if key.GetClassName() == "RooWorkspace"]
        made = file.Get(keys[0]) if keys else None
    if not made:
        raise StatisticsFailed(f"{path}: holds no workspace; free space and repeat the search")
    return made


def write_hs3(made: Any, path: Path) -> None:
    """Write a workspace as JSON of the HEP Statistics Serialization Standard."""
    with _quiet():
        ROOT.RooJSONFactoryWSTool(made).exportJSON(str(path))


def read_hs3(path: Path) -> Any:
    """Read a workspace from JSON of the HEP Statistics Serialization Standard."""
    made = ROOT.RooWorkspace("search")
    with _quiet():
        ROOT.RooJSONFactoryWSTool(made).importJSON(str(path))
    return made
