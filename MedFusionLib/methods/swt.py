"""Stationary wavelet fusion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.banded import BandedFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import ChooseMax, LocalEnergy, Rule
from MedFusionLib.transforms.sampling import plan_decimation
from MedFusionLib.transforms.stationary import StationaryWavelet


@dataclass(frozen=True)
class StationaryWaveletFusion:
    """Strongest undecimated wavelet coefficient, energy-weighted approximation.

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
    wavelet: str = "db2"
    detail_rule: Rule = field(default_factory=ChooseMax)
    base_rule: Rule = field(default_factory=LocalEnergy)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="swt",
        title="Stationary wavelet transform",
        family="multiscale transforms",
        citation="O. Rockinger, Image sequence fusion using a shift-invariant wavelet transform, Proc. ICIP "
        "(1997) 288-291",
        sentence="Wavelet fusion that does not depend on where the voxels lie: smoother edges than the decimated one.",
        reproduces="Transform and choose-max; wavelet db2, three levels and the energy-weighted approximation are "
        "our choice.",
        survey_reference="5",
        memory_factor=16.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> BandedFusion:
        """Plan the levels for the size and spacing of the whole input."""
        ndim = sources.ndim - 2
        plan = plan_decimation(sources.shape[-ndim:], spacing, self.levels)
        return BandedFusion(StationaryWavelet(plan, ndim, self.wavelet), self.detail_rule, self.base_rule)
