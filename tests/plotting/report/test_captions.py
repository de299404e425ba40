"""Captions of the report: each states the numbers of its figure, or says no more than is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from plotting.figures.votes import VotesFigure
from plotting.report.page import write_report
from tests.plotting.report.parsed import Page
from tests.plotting.report.written import make_record, write_run

CAPTIONS = {
    "cutflow": "All 25,000, finite 20,000; 20,000 of 25,000 events (80.00 %) pass the whole selection.",
    "score_ensemble": "1,014 of 20,000 events (5.07 %) are flagged by 2 or more of 3 detectors.",
    "score_isolation_forest": "1,087 of 20,000 events (5.43 %) lie above the threshold 0.5582.",
    "flagged": "The isolation forest flags 1,087 (5.43 %), the autoencoder flags 1,090 (5.45 %), the one-class SVM "
    "flags 1,085 (5.42 %). 1,014 of 20,000 events (5.07 %) are flagged by 2 or more of 3 detectors.",
    "reconstruction_autoencoder": "Of 18,910 events not flagged, the mean is largest for R2, 0.002000; of 1,090 events "
    "flagged, the mean is largest for MR, 0.5000.",
    "mll_flagged": "20,000 selected events, of which 1,014 (5.07 %) are flagged.",
    "agreement": "The autoencoder and the one-class SVM agree most (649 events flagged by both, 1,526 by one at least: "
    "42.53 %); the isolation forest and the autoencoder agree least (503 events flagged by both, 1,674 by one",
    "votes": "0 votes: 17,388, 1 vote: 1,598, 2 votes: 864, 3 votes: 150.",
    "feature_MR": "Mean 338.9 GeV for 18,986 normal events and 618.8 GeV for 1,014 anomalous events, a ratio of 1.826.",
    "feature_dphi": "Mean −0.01000 rad for 18,986 normal events and 0.04000 rad for 1,014 anomalous events.",
    "feature_centrality": "18,986 normal and 1,014 anomalous events; the detectors do not see this quantity.",
    "means": "the ratios farthest from 1 are MR 1.826, R2 1.707.",
    "correlation": "3 features over 20,000 selected events",
    "plane_MR_Rsq": "MR and R2. 20,000 selected events, of which 1,014 (5.07 %) are flagged.",
    "plane_MR_Rsq_score_autoencoder": "of which 1,090 (5.45 %) are flagged by this detector",
    "contributions_autoencoder": "Over the 10 most anomalous events the largest mean shares are MR 75 %, R2 25 %",
    "loss_autoencoder": "3 epochs; the lowest validation loss, 0.2500, is that of epoch 2.",
    "latent_ranks": "38.5 % and 31.3 % of the variance of the features",
    "something_new": "Something new.",
}


@pytest.mark.parametrize("name", CAPTIONS)
def test_a_caption_states_the_numbers_of_its_figure(page: Page, name: str) -> None:
    assert CAPTIONS[name] in page.captions[f"figure-{name}"]


def test_folds_have_their_thresholds_and_losses(tmp_path: Path) -> None:
    record = make_record()
    record["detectors"]["isolation_forest"]["threshold"] = [0.53, 0.55]
    record["history"]["autoencoder"] *= 2
    folder = write_run(tmp_path / "run", record, ("score_isolation_forest", "loss_autoencoder"))
    captions = Page(write_report(folder).path).captions
    score = captions["figure-score_isolation_forest"]
    assert score.endswith("lie above the thresholds of the 2 folds, 0.5300, 0.5500.")
    assert captions["figure-loss_autoencoder"].count("of epoch 2") == 2


def test_a_caption_that_fails_is_told_and_keeps_no_other_from_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(VotesFigure, "caption", lambda *_: {}["votes"])
    folder = write_run(tmp_path / "run", make_record(), ("votes", "flagged"))
    report = write_report(folder)
    assert report.failed == {"votes": "KeyError: 'votes'"}
    page = Page(report.path)
    assert "Figures whose numbers could not be stated: votes (KeyError: 'votes')." in page.parts["summary"]
    assert page.captions["figure-votes"] == "Votes."
    assert CAPTIONS["flagged"] in page.captions["figure-flagged"]
    assert "no caption of votes" in caplog.text
    monkeypatch.undo()
    assert write_report(folder).failed == {}


def test_what_is_not_recorded_is_left_out(tmp_path: Path) -> None:
    """A run whose detectors have no epochs, which varied nothing, and of which no event, table or figure was left."""
    absent = ("history", "reconstruction", "variations", "latent", "loop_seconds", "left_out_detectors")
    record = make_record() | {key: {} for key in absent} | {"commit": None, "events_per_second": None}
    folder = write_run(tmp_path / "run", record, ("score_isolation_forest", "score_mlp", "loss_mlp", "latent_ranks"))
    page = Page(write_report(folder).path)
    assert CAPTIONS["score_isolation_forest"] in page.captions["figure-score_isolation_forest"]
    assert page.captions["figure-score_mlp"] == "Score mlp."  # of a detector that the run does not have
    assert page.captions["figure-loss_mlp"] == "Loss mlp."
    assert "Loss mlp. Score mlp." in page.parts["more"]
    assert page.captions["figure-latent_ranks"] == "Events in two dimensions, coloured by their mean rank."
    assert "Events with a scale up, nominal and down" not in page.tables
    assert "Inside the event loop, summed over threads" not in page.tables
    assert {"events", "variations"}.isdisjoint(page.parts)
    assert "Commit" not in page.parts["provenance"]
    assert "per second" not in page.text
