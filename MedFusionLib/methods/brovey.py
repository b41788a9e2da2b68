"""Brovey (ratio) transform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.detail_injection import FWHM_PER_SIGMA, DetailInjection


@dataclass(frozen=True)
class Brovey:
    """Detail of the first source as a ratio on the smoothed intensity of the others.

    Parameters
    ----------
    resolution_mm : float
        Full width at half maximum of the smoothing: about the resolution of the functional image.
    """

    resolution_mm: float = 4.0

    info: ClassVar[MethodInfo] = MethodInfo(
        name="brovey",
        title="Brovey (ratio) transform",
        family="component substitution",
        citation="A. R. Gillespie, A. B. Kahle, R. E. Walker, Color enhancement of highly correlated images II, "
        "Remote Sens. Environ. 22 (1987) 343-365",
        sentence="Functional intensity modulated by the ratio of the anatomy to its surroundings: anatomy shows "
        "where there is function.",
        reproduces="The ratio; the smoothed anatomy takes the place of the intensity, as smoothing-filter-based "
        "modulation does (our choice).",
        survey_reference="1",
        pairs=("MR-NM", "MR-PT", "CT-PT", "CT-NM"),
        is_symmetric=False,
        memory_factor=5.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> DetailInjection:
        """Smoothing in samples of every axis."""
        sigmas = tuple(self.resolution_mm / FWHM_PER_SIGMA / step for step in spacing)
        return DetailInjection(sigmas, is_ratio=True)
