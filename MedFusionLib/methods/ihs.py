"""Intensity-hue-saturation with retina-inspired detail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.detail_injection import FWHM_PER_SIGMA, DetailInjection


@dataclass(frozen=True)
class IntensityHueSaturation:
    """Detail of the first source on the smoothed intensity of the others.

    Parameters
    ----------
    resolution_mm : float
        Full width at half maximum of the smoothing: about the resolution of the functional image.
    """

    resolution_mm: float = 4.0

    info: ClassVar[MethodInfo] = MethodInfo(
        name="ihs",
        title="Intensity-hue-saturation with retina-inspired detail",
        family="component substitution",
        citation="S. Daneshvar, H. Ghassemian, MRI and PET image fusion by combining IHS and retina-inspired "
        "models, Information Fusion 11 (2010) 114-123",
        sentence="Functional intensity sharpened with anatomical detail; hue and saturation of the functional "
        "source are kept by the colouring.",
        reproduces="The intensity: low frequencies of the functional source, high ones of the anatomy; one "
        "Gaussian stands for the retina model.",
        survey_reference="1",
        pairs=("MR-NM", "MR-PT", "CT-PT", "CT-NM"),
        is_symmetric=False,
        memory_factor=5.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> DetailInjection:
        """Smoothing in samples of every axis."""
        sigmas = tuple(self.resolution_mm / FWHM_PER_SIGMA / step for step in spacing)
        return DetailInjection(sigmas, is_ratio=False)
