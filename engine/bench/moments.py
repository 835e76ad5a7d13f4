"""Count, mean and scatter of a cloud of points: gathered by parts, all that a Frechet distance asks of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Moments of points [count, d], summed in float64 about their mean, so that a far-off cloud loses nothing."""

    count: int
    mean: Tensor  # float64 [d]
    scatter: Tensor  # float64 [d, d]: sum over points of the outer product of (point - mean) with itself

    @classmethod
    def of(cls, points: Tensor) -> Moments:
        """Those of points [n, d], n at least 1."""
        points = points.double()
        mean = points.mean(0)
        apart = points - mean
        return cls(len(points), mean, apart.T @ apart)

    def __add__(self, other: Moments) -> Moments:
        """Those of both clouds together, by the pairwise update of Chan, Golub and LeVeque (1983)."""
        count, shift = self.count + other.count, other.mean - self.mean
        mean = self.mean + shift * (other.count / count)
        between = torch.outer(shift, shift) * (self.count * other.count / count)
        return Moments(count, mean, self.scatter + other.scatter + between)

    @property
    def covariance(self) -> Tensor:
        """float64 [d, d], of a sample: what n points spread is divided by n - 1."""
        return self.scatter / (self.count - 1)

    def frechet(self, other: Moments) -> float:
        """Squared Frechet distance of two clouds, taken as normal distributions (Heusel et al. 2017)."""
        cov_a, cov_b = self.covariance, other.covariance
        values, vectors = torch.linalg.eigh(cov_a)
        root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
        cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
        shift = (self.mean - other.mean).square().sum()
        return float(shift + cov_a.trace() + cov_b.trace() - 2 * cross)
