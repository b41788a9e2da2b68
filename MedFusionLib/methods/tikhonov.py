"""Two-scale fusion with a Tikhonov base."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import Global, MethodInfo
from MedFusionLib.methods.rules import Energy, InProportion, LocalEnergy, Rule
from MedFusionLib.methods.two_scale import TwoScaleFusion
from MedFusionLib.transforms.frequency import extended_lengths
from MedFusionLib.transforms.smoothing import tikhonov

SEAM = 16


@dataclass(frozen=True)
class TikhonovFusion:
    """Base by Tikhonov smoothing, both halves weighted by their local energy.

    Parameters
    ----------
    strength : float
        Weight of the squared gradient in the base.
    base_rule, detail_rule : Rule
        How base and detail are weighted.
    """

    strength: float = 5.0
    base_rule: Rule = field(default_factory=LocalEnergy)
    detail_rule: Rule = field(default_factory=lambda: InProportion(Energy()))

    info: ClassVar[MethodInfo] = MethodInfo(
        name="two-scale-tikhonov",
        title="Two-scale Tikhonov split",
        family="two-scale",
        citation="F. Lahoud, S. Susstrunk, Zero-learning fast medical image fusion, Proc. FUSION (2019)",
        sentence="The transform half of zero-learning fusion: soft weights by energy instead of network features.",
        reproduces="The split (strength 5); weights by local energy stand where the paper has network features.",
        survey_reference="21",
        memory_factor=8.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> TwoScaleFusion:
        """The periodic extension of the whole input."""
        ndim = sources.ndim - 2
        lengths = extended_lengths(sources, ndim, SEAM)
        return TwoScaleFusion(
            lambda stack: tikhonov(stack, self.strength, spacing, lengths),
            lambda stack, base: self.base_rule(base, ndim),
            lambda stack, detail: self.detail_rule(detail, ndim),
            Global(),
        )
