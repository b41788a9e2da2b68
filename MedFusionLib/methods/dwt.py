"""Discrete wavelet fusion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.banded import BandedFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import ChooseMax, LocalEnergy, Rule
from MedFusionLib.transforms.sampling import plan_decimation
from MedFusionLib.transforms.wavelet import WaveletTransform


@dataclass(frozen=True)
class WaveletFusion:
    """Strongest wavelet coefficient in every detail band, energy-weighted approximation.

    Parameters
    ----------
    levels : int
        Number of levels.
    wavelet : str
        Name of a discrete wavelet of PyWavelets.
    detail_rule, base_rule : Rule
        How details and approximation are weighted.
    """

    levels: int = 3
    wavelet: str = "bior4.4"
    detail_rule: Rule = field(default_factory=ChooseMax)
    base_rule: Rule = field(default_factory=LocalEnergy)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="dwt",
        title="Discrete wavelet transform",
        family="multiscale transforms",
        citation="H. Li, B. S. Manjunath, S. K. Mitra, Multisensor image fusion using the wavelet transform, "
        "Graph. Models Image Process. 57 (1995) 235-245",
        sentence="Keeps the strongest wavelet coefficients; quick, but not shift invariant, so edges can step.",
        reproduces="Transform and rule; wavelet bior4.4, three levels and the energy-weighted approximation are "
        "our choice.",
        survey_reference="5",
        memory_factor=6.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> BandedFusion:
        """Plan the levels for the size and spacing of the whole input."""
        ndim = sources.ndim - 2
        plan = plan_decimation(sources.shape[-ndim:], spacing, self.levels)
        return BandedFusion(WaveletTransform(plan, ndim, self.wavelet), self.detail_rule, self.base_rule)
