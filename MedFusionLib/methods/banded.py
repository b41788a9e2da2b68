"""Fusion band by band: an invertible decomposition, a rule for the details, a rule for the base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Local
from MedFusionLib.methods.rules import Rule, combine
from MedFusionLib.transforms.sampling import Plan, decimation_per_axis


class Decomposition(Protocol):
    """A linear transform with an exact inverse."""

    plan: Plan
    ndim: int

    def analyse(self, image: Tensor) -> list[Tensor]:
        """Detail bands, then the base, of an image (..., *spatial)."""

    def synthesise(self, bands: list[Tensor], shape: tuple[int, ...]) -> Tensor:
        """The image (..., *shape) whose bands these are."""

    def reach(self, rule_reach: int) -> tuple[int, ...]:
        """Per spatial axis, how far an input influences the fused output."""


@dataclass(frozen=True)
class BandedFusion:
    """A fitted method that puts a decomposition and two rules together.

    The synthesis is linear, so that the image is the sum of its parts: part s is the synthesis of
    the weighted bands of source s alone.

    Parameters
    ----------
    decomposition : Decomposition
        Fitted to the size and spacing of the whole input.
    detail_rule, base_rule : Rule
        Give the weights in each detail band and in the base.
    """

    decomposition: Decomposition
    detail_rule: Rule
    base_rule: Rule

    @property
    def support(self) -> Local:
        """The decomposition's neighbourhood, widened by the rules'."""
        ndim = self.decomposition.ndim
        reach = self.decomposition.reach(max(self.detail_rule.reach, self.base_rule.reach))
        return Local(halo=reach, alignment=decimation_per_axis(self.decomposition.plan, ndim))

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, *spatial) band by band."""
        ndim = self.decomposition.ndim
        shape = tuple(sources.shape[-ndim:])
        fused, parts = [], []
        bands = self.decomposition.analyse(sources)
        for number, band in enumerate(bands):
            checkpoint()
            rule = self.base_rule if number == len(bands) - 1 else self.detail_rule
            weights = rule(band, ndim)
            fused.append(combine(band, weights))
            if with_parts:
                parts.append(weights * band)
        image = self.decomposition.synthesise(fused, shape)
        return Fused(image, self.decomposition.synthesise(parts, shape) if with_parts else None)
