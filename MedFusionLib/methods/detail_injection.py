"""Anatomical detail put into functional intensity: the component-substitution family."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from MedFusionLib.methods.base import Fused, Local
from MedFusionLib.transforms.filters import gaussian, gaussian_radius

FWHM_PER_SIGMA = 2.3548200450309493
FLOOR = 0.05
"""Brightness (sources are in 0..1) below which a ratio of anatomy to its surroundings fades."""


@dataclass(frozen=True)
class DetailInjection:
    """A fitted method: smooth functional intensity plus the detail of the first source.

    Parameters
    ----------
    sigmas : tuple of float
        Gaussian that stands for the resolution of the functional image, in samples per axis.
    is_ratio : bool
        Whether detail multiplies (as a ratio) or adds.
    """

    sigmas: tuple[float, ...]
    is_ratio: bool

    @property
    def support(self) -> Local:
        """The reach of the Gaussian."""
        return Local(halo=tuple(map(gaussian_radius, self.sigmas)), alignment=(1,) * len(self.sigmas))

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, *spatial); all but the first are averaged for the intensity."""
        smooth = gaussian(sources, self.sigmas, len(self.sigmas))
        anatomy, around, intensity = sources[:, 0], smooth[:, 0], smooth[:, 1:].mean(dim=1)
        detail = anatomy - around
        if self.is_ratio:
            detail = detail * ((intensity + FLOOR) / (around + FLOOR))
        parts = None
        if with_parts:
            parts = torch.cat([detail[:, None], smooth[:, 1:] / (sources.shape[1] - 1)], dim=1)
        return Fused(intensity + detail, parts)
