"""Contourlet fusion of noisy sources, denoised by fractional-order total generalised variation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import FittedMethod, Fused, Global, MethodInfo
from MedFusionLib.methods.nsct import ContourletFusion
from MedFusionLib.methods.rules.activity import TINY
from MedFusionLib.transforms.filters import box_mean
from MedFusionLib.transforms.total_variation import TotalGeneralisedVariation, noise_level

CLEAN = 0.004
"""Noise below one grey level of 256 is left alone."""


@dataclass(frozen=True)
class DenoisedContourletFusion:
    """Fuse in the contourlet domain, then take the noise out of the fused slice.

    Parameters
    ----------
    order : float
        Order of the derivative, 1 to 2.
    strength : float
        Smoothing per standard deviation of the noise.
    steps : int
        Steps of the denoising algorithm.
    """

    order: float = 1.2
    strength: float = 0.7
    steps: int = 120

    info: ClassVar[MethodInfo] = MethodInfo(
        name="nsct-fotgv",
        title="NSCT with fractional-order TGV denoising",
        family="variational",
        citation="S. Goyal, V. Singh, A. Rani, N. Yadav, Multimodal image fusion and denoising in NSCT domain "
        "using CNN "
        "and FOTGV, Biomed. Signal Process. Control 71 (2022) 103214",
        sentence="For noisy sources: estimates the noise, fuses, and smooths it away without stairs or blurred "
        "edges; slow.",
        reproduces="NSCT and FOTGV with a noise estimate from the finest coefficients; the contourlet rule stands "
        "where "
        "the paper has a siamese network. What denoising takes away is shared among the sources by their size.",
        survey_reference="38",
        dims=(2,),
        is_fast=False,
        denoises=True,
        memory_factor=20.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedDenoised:
        """Contourlet windows, and the noise of every source in every slice."""
        denoiser = denoiser_for(sources, self.order, self.strength, self.steps)
        return FittedDenoised(ContourletFusion().fit(sources, spacing), denoiser, tuple(spacing))


def denoiser_for(
    sources: Tensor, order: float = 1.2, strength: float = 0.7, steps: int = 120
) -> TotalGeneralisedVariation | None:
    """A denoiser for the noise of the noisiest of the sources (N, S, H, W); None where it is below one grey level."""
    noise = float(torch.stack([_noise(one) for one in sources]).median(dim=0).values.max())
    return TotalGeneralisedVariation(1 / (noise * strength), order, steps) if noise > CLEAN else None


@dataclass(frozen=True)
class FittedDenoised:
    """A fusion, a denoiser if the sources are noisy, and the spacing of their slices."""

    fusion: FittedMethod
    denoiser: TotalGeneralisedVariation | None
    spacing: tuple[float, ...]

    @property
    def support(self) -> Global:
        """The fusion's."""
        return Global()

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, H, W)."""
        fused = self.fusion.fuse(sources, with_parts=with_parts)
        if self.denoiser is None:
            return fused
        image = torch.stack([self.denoiser.denoise(slice_, self.spacing) for slice_ in fused.image])
        if fused.parts is None:
            return Fused(image)
        size = box_mean(fused.parts.abs(), 1, 2) + TINY
        taken = (fused.image - image)[:, None] * (size / size.sum(dim=1, keepdim=True))
        return Fused(image, fused.parts - taken)


def _noise(sources: Tensor) -> Tensor:
    """Noise of each source of one slice, (S,)."""
    checkpoint()
    return noise_level(sources, 2)
