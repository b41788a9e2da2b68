"""Contourlet fusion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.banded import BandedFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import ChooseMax, LocalEnergy, Rule
from MedFusionLib.transforms.contourlet import Contourlets
from MedFusionLib.transforms.sampling import plan_decimation


@dataclass(frozen=True)
class DecimatedContourletFusion:
    """Strongest coefficient per scale and direction, energy-weighted base.

    Parameters
    ----------
    directions : tuple of int
        Number of directions per scale, fine to coarse.
    detail_rule, base_rule : Rule
        How directional bands and base are weighted.
    """

    directions: tuple[int, ...] = (16, 8, 8, 4)
    detail_rule: Rule = field(default_factory=ChooseMax)
    base_rule: Rule = field(default_factory=LocalEnergy)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="contourlet",
        title="Contourlet transform",
        family="multiscale transforms",
        citation="M. N. Do, M. Vetterli, The contourlet transform: an efficient directional multiresolution image "
        "representation, IEEE Trans. Image Process. 14 (2005) 2091-2106",
        sentence="A Laplacian pyramid with directions: cheaper than the non-subsampled transform, a little less "
        "smooth.",
        reproduces="Pyramid and number of directions; windows in the frequency domain stand where the paper has a "
        "decimated filter bank; slices only.",
        survey_reference="36",
        dims=(2,),
        memory_factor=24.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> BandedFusion:
        """Windows for the size of the slices."""
        shape = tuple(sources.shape[2:])
        transform = Contourlets(plan_decimation(shape, spacing, len(self.directions)), shape, self.directions)
        return BandedFusion(transform, self.detail_rule, self.base_rule)
