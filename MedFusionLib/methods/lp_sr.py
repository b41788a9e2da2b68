"""Laplacian pyramid fusion with a sparse base."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.banded import BandedFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import ChooseMax, Rule
from MedFusionLib.methods.rules.sparse_activity import DICTIONARY, SparseActivity
from MedFusionLib.transforms.laplacian import LaplacianPyramid
from MedFusionLib.transforms.sampling import plan_decimation
from MedFusionLib.weights import card


@dataclass(frozen=True)
class LaplacianSparseFusion:
    """Strongest detail at every scale, base by the activity of sparse codes.

    Parameters
    ----------
    levels : int
        Number of pyramid levels.
    stride : int
        Distance between patches of the base.
    detail_rule : Rule
        How details are weighted.
    """

    levels: int = 4
    stride: int = 1
    detail_rule: Rule = field(default_factory=ChooseMax)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="lp-sr",
        title="Laplacian pyramid with sparse base",
        family="sparse representation",
        citation="Y. Liu, S. Liu, Z. Wang, A general framework for image fusion based on multi-scale transform "
        "and sparse "
        "representation, Information Fusion 24 (2015) 147-164",
        sentence="Laplacian detail on a base that keeps the livelier source whole: high contrast, no averaging.",
        reproduces="Four levels, choose-max details, max-L1 base; dictionary and patches as in sr. Volumes: "
        "planes of the "
        "coarse base are coded one by one.",
        survey_reference="6",
        weights=card(DICTIONARY)["sha256"],
        memory_factor=8.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> BandedFusion:
        """Plan the levels for the size and spacing of the whole input."""
        ndim = sources.ndim - 2
        plan = plan_decimation(sources.shape[-ndim:], spacing, self.levels)
        return BandedFusion(LaplacianPyramid(plan, ndim), self.detail_rule, SparseActivity(self.stride))
