"""Gradient pyramid fusion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.banded import BandedFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import MatchMeasure, Rule, Weighted
from MedFusionLib.transforms.gradient_pyramid import GradientPyramid
from MedFusionLib.transforms.sampling import plan_decimation


@dataclass(frozen=True)
class GradientPyramidFusion:
    """Directional derivatives, averaged where the sources match and selected where they do not.

    Parameters
    ----------
    levels : int
        Number of pyramid levels.
    detail_rule, base_rule : Rule
        How derivatives and base are weighted.
    """

    levels: int = 4
    detail_rule: Rule = field(default_factory=MatchMeasure)
    base_rule: Rule = field(default_factory=Weighted)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="gradient-pyramid",
        title="Gradient pyramid",
        family="multiscale transforms",
        citation="P. J. Burt, R. J. Kolczynski, Enhanced image capture through fusion, Proc. ICCV (1993) 173-182",
        sentence="Blends edges that both sources show and picks those that only one shows: calm where sources agree.",
        reproduces="Directional derivatives and the match and salience rule; a residual band makes the inverse exact "
        "and face diagonals extend it to volumes (our choice).",
        survey_reference="5",
        memory_factor=14.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> BandedFusion:
        """Plan the levels for the size and spacing of the whole input."""
        ndim = sources.ndim - 2
        plan = plan_decimation(sources.shape[-ndim:], spacing, self.levels)
        return BandedFusion(GradientPyramid(plan, ndim), self.detail_rule, self.base_rule)
