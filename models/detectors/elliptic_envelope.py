"""Elliptic envelope: unusual events are far from the bulk, measured in the bulk's own widths.

P. J. Rousseeuw, K. Van Driessen, "A Fast Algorithm for the Minimum Covariance Determinant Estimator", Technometrics 41
(1999) 212; trained by scikit-learn.
"""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from sklearn.covariance import EllipticEnvelope as SklearnEllipticEnvelope
from sklearn.preprocessing import StandardScaler

from models.collinearity import ILL_CONDITIONED, involved
from models.detectors.detector import Detector, Features, Labels, Progress, Scores
from models.detectors.scaling import Standardise
from models.errors import TrainingError
from models.rounding import FEW, UNIT_ROUNDOFF
from models.thresholds import Rounding

DEPENDENT = 1e-7
"""Smallest eigenvalue of the features' correlation matrix below which they are linearly dependent: one of them is the
others within 3e-4 of its spread, and float32 does not leave enough of what is between."""
NULL = 1e-6
"""Eigenvalues of the robust correlation matrix below this part of the largest belong to null directions, which are
dropped: combinations of features that vary among the usual events by less than a thousandth of what others do. No
experiment measures so well; features are that close by their definition, as HT and the sum of two momenta are in events
of two jets, and an event off that relation has one more jet before it has anything unusual."""
FARTHEST = 1e15
"""Scaled features are cut off there, so that no infinities are subtracted from one another."""


class EllipticEnvelope(Detector):
    """StandardScaler and scikit-learn's EllipticEnvelope; the score is the squared robust Mahalanobis distance.

    It is that in all directions but the null ones, which `NULL` tells from the others. Where these are ill-conditioned,
    by the rule of `ILL_CONDITIONED`, it abstains.
    """

    name: ClassVar[str] = "elliptic_envelope"
    _null_free: npt.NDArray[np.float64] | None

    @property
    def minimum_events(self) -> int:
        """Twice as many as span the features' space, as about half of them make the covariance."""
        return 2 * (len(self.features) + 1)

    def learn(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        """Fit the robust covariance, and leave out the directions in which the usual events do not vary."""
        self.scaler = StandardScaler().fit(X.astype(np.float64))
        self._check_independent(self._scaled(X))
        try:
            self._fit_envelope(X)
        except ValueError:  # scikit-learn takes spreads of 1e-4 standard deviations for none
            self._scale_by_quartiles(X)
            try:
                self._fit_envelope(X)
            except ValueError as error:
                raise TrainingError(
                    f"{self.name}: more than half of the {len(X)} training events are alike in all features, so that "
                    "their covariance vanishes; take other features or events, or leave it out of --detectors"
                ) from error
        self._drop_directions()

    def _fit_envelope(self, X: Features) -> None:
        with warnings.catch_warnings():
            # Of rank and determinant; what they come from is said in words.
            warnings.simplefilter("ignore")
            self.envelope = SklearnEllipticEnvelope(random_state=self.seed).fit(self._scaled(X))

    def _scale_by_quartiles(self, X: Features) -> None:
        """Scale features by the median and the quartiles, where these differ."""
        low, median, high = np.quantile(X.astype(np.float64), (0.25, 0.5, 0.75), axis=0)
        spread = high > low
        self.scaler.mean_ = np.where(spread, median, self.scaler.mean_)
        self.scaler.scale_ = np.where(spread, high - low, self.scaler.scale_)
        self.notes.append(
            "a few events are so far off that the others hardly differ, measured in standard deviations; features are "
            "scaled by their quartiles"
        )

    def _scaled(self, X: Features) -> npt.NDArray[np.float64]:
        scaled: npt.NDArray[np.float64] = self.scaler.transform(X.astype(np.float64)).clip(-FARTHEST, FARTHEST)
        return scaled

    def _check_independent(self, scaled: npt.NDArray[np.float64]) -> None:
        values, vectors = np.linalg.eigh(scaled.T @ scaled / len(scaled))
        if values[0] < DEPENDENT:
            raise TrainingError(
                f"{self.name}: the features {involved(self.features, vectors[:, :1])} are linearly dependent, their "
                f"covariance is singular; leave one of them out of --features, or {self.name} out of --detectors"
            )

    def _drop_directions(self) -> None:
        """Leave out the null directions, and judge by what is left whether there is a vote."""
        covariance = self.envelope.covariance_
        variances = np.diag(covariance)
        # Where scikit-learn's pseudo-inverse cuts off.
        varies = variances > len(variances) * np.finfo(np.float64).eps * variances.max()
        spreads = np.sqrt(np.where(varies, variances, 1.0))
        correlation = np.where(np.outer(varies, varies), covariance / np.outer(spreads, spreads), 0.0)
        values, vectors = np.linalg.eigh(correlation)
        null = values < NULL * values[-1]
        self._null_free = None
        if null.any():
            lengths = np.sqrt(np.where(null, 1.0, values))
            self._null_free = np.where(null, 0.0, vectors / lengths / spreads[:, np.newaxis])
            self.notes.append(
                f"among the usual events {involved(self.features, vectors[:, null])} are constant or linearly "
                f"dependent, or nearly: {null.sum()} of {len(null)} directions, in which these hardly vary, left out "
                "of the distance"
            )
        values, vectors = values[~null], vectors[:, ~null]
        if (condition := values[-1] / values[0]) > ILL_CONDITIONED:
            self.abstention = (
                f"no vote beside other detectors: one combination of {involved(self.features, vectors[:, :1])} makes "
                f"most of the score, as the robust correlation has the condition number {condition:.2g}, above "
                f"{ILL_CONDITIONED:g}"
            )

    def score(self, X: Features) -> Scores:
        """Return the squared Mahalanobis distance from the robust location, shape (events,).

        It is a sum of squares, as in the network. The product d P d with the precision matrix P, which scikit-learn
        takes, is the same number where no direction is null; but where features are nearly dependent it is a small
        difference of large terms, and rounding alone decides the scores of usual events.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            combined = (self._scaled(X) - self.envelope.location_) @ self._combinations()
            scores: Scores = (combined**2).sum(axis=1).astype(np.float32)
        return scores

    def rounding(self, X: Features, scores: Scores) -> Rounding:
        """Return what rounding can change of the squares of the combinations of features, which is added up."""
        scaled, matrix = self._scaled(X), self._combinations()
        distance = scaled - self.envelope.location_
        width = X.shape[1]
        distance_bounds = np.abs(scaled) + np.abs(self.envelope.location_) + width * np.abs(distance)
        errors = FEW * UNIT_ROUNDOFF * distance_bounds @ np.abs(matrix)
        square_errors = (2 * np.abs(distance @ matrix) + errors) * errors
        return np.asarray(
            square_errors.sum(axis=1) + (FEW + width) * UNIT_ROUNDOFF * scores.astype(np.float64), dtype=np.float64
        )

    def network(self) -> torch.nn.Module:
        """Return the distance as a torch module: one affine map, squares and a sum."""
        return EnvelopeNetwork(self.scaler, self.envelope.location_, self._combinations())

    def _combinations(self) -> npt.NDArray[np.float64]:
        """Return the combinations of features whose squares add up to the distance, shape (features, features).

        Those of null directions are zero.
        """
        if self._null_free is not None:
            return self._null_free
        # By eigenvectors and not by Cholesky, which a precision matrix that is not of full rank does not have.
        values, vectors = np.linalg.eigh(self.envelope.precision_)
        combinations: npt.NDArray[np.float64] = vectors * np.sqrt(values.clip(min=0))
        return combinations

    def contributions(self) -> torch.nn.Module:
        """Return the terms of the squared Mahalanobis distance as a torch module.

        With d an event's scaled distance from the robust location and P the precision matrix, without null directions,
        the contribution of a feature is d_i (P d)_i. They add up to the score; where features are correlated some can
        be negative.
        """
        if self._null_free is None:
            return MahalanobisTerms(self.scaler, self.envelope.location_, self.envelope.precision_)
        return MahalanobisTerms(self.scaler, self.envelope.location_, self._null_free @ self._null_free.T)


class _Affine(torch.nn.Module):
    """Distances from a location in scaled features, and linear combinations of them."""

    location: torch.Tensor
    matrix: torch.Tensor

    def __init__(
        self, scaler: StandardScaler, location: npt.NDArray[np.float64], matrix: npt.NDArray[np.float64]
    ) -> None:
        """Prepare the map.

        Args:
            scaler: of the features.
            location: in scaled features, shape (features,).
            matrix: whose columns are the combinations, shape (features, combinations).
        """
        super().__init__()
        self.standardise = Standardise(scaler)
        self.register_buffer("location", torch.tensor(location, dtype=torch.float32))
        self.register_buffer("matrix", torch.tensor(matrix, dtype=torch.float32))

    def distance(self, features: torch.Tensor) -> torch.Tensor:
        scaled: torch.Tensor = self.standardise(features)
        return scaled.clamp(-FARTHEST, FARTHEST) - self.location


class EnvelopeNetwork(_Affine):
    """A squared distance: the squares of linear combinations, added up."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features, shape (events, features), to scores, shape (events, 1)."""
        combined = self.distance(features) @ self.matrix
        return (combined * combined).sum(dim=1, keepdim=True)


class MahalanobisTerms(_Affine):
    """The terms of a squared distance."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to the terms, both of shape (events, features)."""
        distance = self.distance(features)
        return distance * (distance @ self.matrix)
