"""Dual-tree complex wavelet fusion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.banded import BandedFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import ChooseMax, LocalEnergy, Rule
from MedFusionLib.transforms.dual_tree import DualTree
from MedFusionLib.transforms.sampling import plan_decimation


@dataclass(frozen=True)
class DualTreeFusion:
    """Complex coefficient with the largest modulus in every direction, energy-weighted base.

    Parameters
    ----------
    levels : int
        Number of levels.
    detail_rule, base_rule : Rule
        How complex details and the trees' bases are weighted.
    """

    levels: int = 4
    detail_rule: Rule = field(default_factory=ChooseMax)
    base_rule: Rule = field(default_factory=LocalEnergy)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="dtcwt",
        title="Dual-tree complex wavelet transform",
        family="multiscale transforms",
        citation="J. J. Lewis, R. J. O'Callaghan, S. G. Nikolov, D. R. Bull, N. Canagarajah, Pixel- and region-based "
        "image fusion with complex wavelets, Information Fusion 8 (2007) 119-130",
        sentence="Picks the strongest feature per direction by its modulus: nearly shift invariant at little cost.",
        reproduces="Choose-max of the modulus with consistency verification; filters of Abdelnour and Selesnick, "
        "and of "
        "Kingsbury (ten taps); the energy-weighted base is our choice.",
        survey_reference="5",
        memory_factor=24.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> BandedFusion:
        """Plan the levels for the size and spacing of the whole input."""
        ndim = sources.ndim - 2
        plan = plan_decimation(sources.shape[-ndim:], spacing, self.levels)
        return BandedFusion(DualTree(plan, ndim), self.detail_rule, self.base_rule)
