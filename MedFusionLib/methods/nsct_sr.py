"""Non-subsampled contourlet fusion with a sparse base."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.additive import SliceBankFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import ChooseMax, Rule
from MedFusionLib.methods.rules.sparse_activity import DICTIONARY, SparseActivity
from MedFusionLib.transforms.directional import Tiling, bank_for
from MedFusionLib.weights import card


@dataclass(frozen=True)
class ContourletSparseFusion:
    """Strongest coefficient per scale and direction, base by the activity of sparse codes.

    Parameters
    ----------
    directions : tuple of int
        Number of directions per scale, fine to coarse.
    stride : int
        Distance between patches of the base.
    detail_rule : Rule
        How directional bands are weighted.
    """

    directions: tuple[int, ...] = (16, 8, 8, 4)
    stride: int = 2
    detail_rule: Rule = field(default_factory=ChooseMax)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="nsct-sr",
        title="NSCT with sparse base",
        family="sparse representation",
        citation="Y. Liu, S. Liu, Z. Wang, A general framework for image fusion based on multi-scale transform "
        "and sparse "
        "representation, Information Fusion 24 (2015) 147-164",
        sentence="Directional detail on a base that keeps the livelier source whole; slow.",
        reproduces="Transform as in nsct, choose-max details, max-L1 base with the dictionary of sr.",
        survey_reference="6",
        dims=(2,),
        weights=card(DICTIONARY)["sha256"],
        is_fast=False,
        memory_factor=40.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> SliceBankFusion:
        """Windows for the size and spacing of the slices."""
        bank = bank_for(sources, spacing, Tiling(self.directions, angles="angle"))
        return SliceBankFusion(bank, self.detail_rule, SparseActivity(self.stride))
