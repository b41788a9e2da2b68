"""Fusion voxel by voxel: a rule applied to the sources themselves."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from MedFusionLib.methods.base import Fused, Global, Local
from MedFusionLib.methods.rules import Rule, combine


@dataclass(frozen=True)
class PixelwiseFusion:
    """A fitted method that weights the sources by a rule, without any decomposition.

    Parameters
    ----------
    rule : Rule
        Gives the weights.
    ndim : int
        Number of spatial axes.
    """

    rule: Rule
    ndim: int

    @property
    def support(self) -> Local | Global:
        """The rule's own neighbourhood."""
        if self.rule.reach is None:
            return Global()
        return Local(halo=(self.rule.reach,) * self.ndim, alignment=(1,) * self.ndim)

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Weighted sum of the sources (N, S, *spatial)."""
        weights = self.rule(sources, self.ndim)
        return Fused(combine(sources, weights), weights * sources if with_parts else None)
