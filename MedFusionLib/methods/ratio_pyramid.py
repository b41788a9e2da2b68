"""Ratio (contrast) pyramid fusion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Global, Local, MethodInfo
from MedFusionLib.methods.rules import ChooseMax, LocalEnergy, Rule, combine
from MedFusionLib.transforms.laplacian import LaplacianPyramid
from MedFusionLib.transforms.sampling import plan_decimation


@dataclass(frozen=True)
class RatioPyramidFusion:
    """Largest local contrast at every scale.

    Parameters
    ----------
    levels : int
        Number of pyramid levels.
    floor : float
        Brightness below which contrast fades, on the sources' scale 0..1: noise in the dark is no contrast.
    detail_rule, base_rule : Rule
        How contrasts and base are weighted.
    """

    levels: int = 4
    floor: float = 0.1
    detail_rule: Rule = field(default_factory=ChooseMax)
    base_rule: Rule = field(default_factory=LocalEnergy)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="ratio-pyramid",
        title="Ratio of low-pass pyramid",
        family="multiscale transforms",
        citation="A. Toet, Image fusion by a ratio of low-pass pyramid, Pattern Recognit. Lett. 9 (1989) 245-253",
        sentence="Keeps the strongest contrast relative to the surroundings, as the eye judges it; may exaggerate "
        "dim edges.",
        reproduces="The pyramid and the choice of the larger contrast; the brightness floor and the energy-weighted "
        "base are our choice.",
        survey_reference="5",
        memory_factor=6.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedRatioPyramid:
        """Plan the levels for the size and spacing of the whole input."""
        ndim = sources.ndim - 2
        plan = plan_decimation(sources.shape[-ndim:], spacing, self.levels)
        return FittedRatioPyramid(LaplacianPyramid(plan, ndim), self.floor, self.detail_rule, self.base_rule)


@dataclass(frozen=True)
class FittedRatioPyramid:
    """Ratio pyramid fusion planned for one input; parameters as in `RatioPyramidFusion`.

    The contrast of a sample is its value plus the floor, divided by its smoothed surroundings plus
    the floor, less one. The fused image multiplies back; what a source adds is its contrast times
    the fused surroundings, so that the parts add up.
    """

    pyramid: LaplacianPyramid
    floor: float
    detail_rule: Rule
    base_rule: Rule

    @property
    def support(self) -> Local | Global:
        """The neighbourhood of the pyramid, widened by the rules'."""
        reaches = (self.detail_rule.reach, self.base_rule.reach)
        if None in reaches:
            return Global()
        return Local(halo=self.pyramid.reach(max(reaches)), alignment=self.pyramid.alignment)

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, *spatial)."""
        ndim, current = self.pyramid.ndim, sources
        shapes = self.pyramid.shapes(tuple(sources.shape[-ndim:]))
        contrasts = []
        for level in range(len(self.pyramid.plan)):
            checkpoint()
            (detail,), coarse = self.pyramid.split(current, level)
            contrast = detail / (current - detail + self.floor)
            weights = self.detail_rule(contrast, ndim)
            contrasts.append((combine(contrast, weights), weights * contrast if with_parts else None))
            current = coarse
        weights = self.base_rule(current, ndim)
        image, parts = combine(current, weights), weights * current if with_parts else None
        for level in reversed(range(len(contrasts))):
            checkpoint()
            contrast, by_source = contrasts[level]
            around = self.pyramid.expand(image, level, shapes[level])
            if parts is not None:
                parts = self.pyramid.expand(parts, level, shapes[level]) + by_source * (around + self.floor)[:, None]
            image = around + contrast * (around + self.floor)
        return Fused(image, parts)
