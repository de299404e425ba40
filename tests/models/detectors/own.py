"""A detector as somebody outside of this toolkit writes it: the text of a file that tests import by its path."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

SOURCE = '''
import torch
from pydantic import BaseModel, ConfigDict, Field
from sklearn.preprocessing import StandardScaler

from models.detectors.detector import Detector, Diagnostics
from models.detectors.scaling import Standardise
from models.tables import History


class Distance(torch.nn.Module):
    """Squared distance from a centre after a small network."""

    def __init__(self, scaler, net, centre):
        super().__init__()
        self.scaling, self.net = Standardise(scaler), net
        self.register_buffer("centre", centre)

    def forward(self, features):
        difference = self.net(self.scaling(features)) - self.centre
        return (difference * difference).sum(dim=1, keepdim=True)


class DeepDistance(Detector):
    name = "deep_distance"

    class Settings(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")
        width: int = Field(default=8, ge=1)
        epochs: int = Field(default=2, ge=1)

    def learn(self, X, labels, progress):
        self.scaler = StandardScaler().fit(X.astype("float64"))
        scaled = torch.from_numpy(self.scaler.transform(X.astype("float64")).astype("float32"))
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            width = self.settings.width
            self.net = torch.nn.Sequential(
                torch.nn.Linear(X.shape[1], width), torch.nn.Tanh(), torch.nn.Linear(width, 2)
            )
            self.centre = self.net(scaled).mean(dim=0).detach()
            optimiser = torch.optim.Adam(self.net.parameters(), lr=1e-3)
            self.history = History(training=[], validation=[])
            for epoch in range(self.settings.epochs):
                optimiser.zero_grad()
                loss = (self.net(scaled) - self.centre).square().sum(dim=1).mean()
                loss.backward()
                optimiser.step()
                self.history.training.append(float(loss.detach()))
                self.history.validation.append(float(loss.detach()))
                progress(epoch + 1, self.settings.epochs)

    def score(self, X):
        with torch.no_grad():
            return self.network()(torch.from_numpy(X)).numpy()[:, 0]

    def rounding(self, X, scores):
        return 1e-5 * (1 + scores.astype("float64"))

    def network(self):
        return Distance(self.scaler, self.net, self.centre)

    def describe_training(self, X):
        return Diagnostics(history=self.history)
'''


def import_own(folder: Path, source: str = SOURCE) -> ModuleType:
    """Write the source to a file there and import it, by its path alone."""
    path = folder / "my_detectors.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("my_detectors", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
