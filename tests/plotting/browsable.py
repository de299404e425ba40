"""A folder to browse: histograms like those of a run, written as a run writes them, of numbers that the tests know."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rdf.code.interpreter import ROOT
from rdf.graph.histograms import write_histograms
from rdf.provenance import Provenance
from tests.plotting.evaluations import sample
from tests.records import run_table, sample_table

BINS = 40
FALLING: NDArray[np.float64] = np.floor(4000 * np.exp(-np.arange(BINS) / 5.0))
"""Events in the bins of features/MR; a twentieth of them is anomalous."""


def write_browsable(folder: Path) -> Path:
    """Write run.json and histograms.root, and return the folder."""
    folder.mkdir(parents=True)
    everything = ROOT.TH1D("MR", "M_{R}, all events;M_{R} [GeV];events", BINS, 0, 2000)
    anomalous = ROOT.TH1D("MR", "M_{R}, anomalous events;M_{R} [GeV];events", BINS, 0, 2000)
    ranks = ROOT.TH1D("score_ensemble", "Ensemble score;ensemble score;events", BINS, 0, 1)
    plane = ROOT.TH2D("MR_Rsq", "R^{2} against M_{R}, all events;M_{R} [GeV];R^{2};events", BINS, 0, 2000, 20, 0, 1)
    mean = ROOT.TProfile2D("score_MR_Rsq", "Mean score;M_{R} [GeV];R^{2};mean ensemble score", BINS, 0, 2000, 20, 0, 1)
    for i, events in enumerate(FALLING.tolist(), start=1):
        everything.SetBinContent(i, events)
        anomalous.SetBinContent(i, events // 20)
        ranks.SetBinContent(i, 100 + i)
        for j in range(1, 21):
            plane.SetBinContent(i, j, events // j**2)
            mean.Fill(50 * i - 25, j / 20 - 0.025, (i + j) / 60)
    flagged = ROOT.TH2D("flagged", "Events flagged by both;;;events", 2, 0.5, 2.5, 2, 0.5, 2.5)
    for i, name in enumerate(("isolation_forest", "autoencoder"), start=1):
        flagged.GetXaxis().SetBinLabel(i, name)
        flagged.GetYaxis().SetBinLabel(i, name)
        for j in (1, 2):
            flagged.SetBinContent(i, j, 120 if i == j else 45)
    histograms = {
        "agreement/flagged": flagged,
        "features/MR": everything,
        "features/anomalous/MR": anomalous,
        "planes/MR_Rsq": plane,
        "planes/score_ensemble_MR_Rsq": mean,
        "scores/score_ensemble": ranks,
    }
    write_histograms(folder / "histograms.root", histograms, Provenance("{}", simulated=False))
    (folder / "run.json").write_text(json.dumps(run_table(sample=sample_table(title=sample()["title"]))))
    return folder
