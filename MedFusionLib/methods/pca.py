"""Principal component weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from MedFusionLib.errors import UsageError
from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.pixelwise import PixelwiseFusion
from MedFusionLib.methods.rules import Weighted


@dataclass(frozen=True)
class PrincipalComponents:
    """Weights from the leading eigenvector of the sources' covariance.

    The covariance is taken once over the foreground of the whole volume, so that slice-wise and
    volumetric fusion agree and slices do not flicker.
    """

    info: ClassVar[MethodInfo] = MethodInfo(
        name="pca",
        title="Principal component analysis",
        family="pixel rules",
        citation="O. Rockinger, T. Fechner, Pixel-level image fusion: the case of image sequences, SPIE 3374 (1998)",
        sentence="Fixed weights from the leading principal component: the source with more variance dominates.",
        reproduces="The weighting; the covariance is taken on the foreground of the whole volume (our choice).",
        survey_reference="1",
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> PixelwiseFusion:
        """Weights from all slices together."""
        return PixelwiseFusion(Weighted(principal_weights(sources)), sources.ndim - 2)


def principal_weights(sources: Tensor) -> tuple[float, ...]:
    """Non-negative weights with sum 1 from sources (N, S, *spatial); the foreground is where any is above 0.

    Raises
    ------
    UsageError
        When no voxel of any source is above 0.
    """
    count, spatial_first = sources.shape[1], 2
    total = torch.zeros(count, dtype=torch.float64)
    products = torch.zeros(count, count, dtype=torch.float64)
    voxels = 0
    axis = 0 if sources.ndim == 4 else spatial_first
    for position in range(sources.shape[axis]):
        checkpoint()
        plane = sources.select(axis, position)
        plane = plane.reshape(count, -1).to(torch.float64)
        plane = plane[:, plane.amax(dim=0) > 0]
        voxels += plane.shape[1]
        total += plane.sum(dim=1).cpu()
        products += (plane @ plane.T).cpu()
    if voxels == 0:
        raise UsageError("Every source is empty within its window", "at least one voxel above the lower bound")
    mean = total / voxels
    _, vectors = torch.linalg.eigh(products / voxels - torch.outer(mean, mean))
    leading = vectors[:, -1].abs()
    return tuple((leading / leading.sum()).tolist())
