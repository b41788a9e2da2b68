"""L0 cartoon and detail, with contourlets and sparse codes in the cartoon."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from MedFusionLib.methods.additive import SliceBankFusion
from MedFusionLib.methods.base import Fused, Global, MethodInfo
from MedFusionLib.methods.nsct_sr import ContourletSparseFusion
from MedFusionLib.methods.rules import Rule, Stronger, SumModifiedLaplacian, Tempered, combine
from MedFusionLib.methods.rules.sparse_activity import DICTIONARY, SparseActivity
from MedFusionLib.transforms.directional import SEAM
from MedFusionLib.transforms.frequency import extended_lengths
from MedFusionLib.transforms.smoothing import l0_smoothing
from MedFusionLib.weights import card


@dataclass(frozen=True)
class L0ContourletSparseFusion:
    """L0 smoothing splits cartoon and detail; the cartoon goes through nsct-sr, the stronger detail is added.

    Parameters
    ----------
    strength : float
        Price of a non-zero gradient in the cartoon.
    stride : int
        Distance between the patches of the base.
    """

    strength: float = 0.02
    stride: int = 2

    info: ClassVar[MethodInfo] = MethodInfo(
        name="l0-nsct-sr",
        title="L0 split with NSCT and sparse representation",
        family="sparse representation",
        citation="D. S. Shibu, S. S. Priyadharsini, Multi scale decomposition based medical image fusion using "
        "convolutional neural network and sparse representation, Biomed. Signal Process. Control 69 (2021) 102789",
        sentence="Separates flat regions from texture before fusing each in its own way; slow.",
        reproduces="The split and the cartoon's NSCT with sparse base; the modified Laplacian decides in the "
        "detail, where "
        "the paper has a siamese network; in the base the brightness of a patch counts too, for cartoons are flat.",
        survey_reference="39",
        dims=(2,),
        weights=card(DICTIONARY)["sha256"],
        is_fast=False,
        memory_factor=40.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedL0:
        """Windows for the size and spacing of the slices."""
        lengths = extended_lengths(sources, 2, SEAM)
        cartoon = cartoon_fusion(sources, spacing, self.stride)
        return FittedL0(self.strength, tuple(spacing), lengths, cartoon, Stronger(SumModifiedLaplacian()))


def cartoon_fusion(sources: Tensor, spacing: tuple[float, ...], stride: int = 2) -> SliceBankFusion:
    """As nsct-sr, with a base in which the brightness of a patch counts too: cartoons are flat."""
    fusion = ContourletSparseFusion(stride=stride).fit(sources, spacing)
    return replace(fusion, base_rule=Tempered(SparseActivity(stride, counts_mean=True)))


@dataclass(frozen=True)
class FittedL0:
    """The split, the cartoon's fusion and the detail's rule for one size."""

    strength: float
    spacing: tuple[float, ...]
    lengths: tuple[int, ...]
    cartoon: SliceBankFusion
    detail_rule: Rule

    @property
    def support(self) -> Global:
        """L0 smoothing sees the whole slice."""
        return Global()

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, H, W)."""
        base = l0_smoothing(sources, self.strength, self.spacing, self.lengths)
        base = torch.where(sources > 0, base, 0)  # empty background stays empty: cartoons reach into it
        detail = sources - base
        weights = self.detail_rule(detail, 2)
        fused = self.cartoon.fuse(base, with_parts=with_parts)
        image = fused.image + combine(detail, weights)
        return Fused(image, fused.parts + weights * detail if with_parts else None)
