"""Fusion band by band: an invertible decomposition, a rule for the details, a rule for the base."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Global, Local
from MedFusionLib.methods.rules import Rule, combine
from MedFusionLib.transforms.pyramid import Pyramid


@dataclass(frozen=True)
class BandedFusion:
    """A fitted method that puts a decomposition and two rules together.

    The synthesis is linear, so that the image is the sum of its parts: part s is the synthesis of
    the weighted bands of source s alone.

    Parameters
    ----------
    decomposition : Pyramid
        Fitted to the size and spacing of the whole input.
    detail_rule, base_rule : Rule
        Give the weights in each detail band and in the base.
    """

    decomposition: Pyramid
    detail_rule: Rule
    base_rule: Rule

    @property
    def support(self) -> Local | Global:
        """The decomposition's neighbourhood, widened by the rules'; the whole where a rule looks at all of a band."""
        reaches = (self.detail_rule.reach, self.base_rule.reach)
        halo = None if None in reaches else self.decomposition.reach(max(reaches))
        return Global() if halo is None else Local(halo=halo, alignment=self.decomposition.alignment)

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, *spatial), level by level down and up again."""
        pyramid, shape = self.decomposition, tuple(sources.shape[-self.decomposition.ndim :])
        images, parts, current = [], [], sources
        for level in range(len(pyramid.plan)):
            details, current = pyramid.split(current, level)
            for detail in details:
                checkpoint()
                self._fuse_band(detail, self.detail_rule, images, parts if with_parts else None)
        self._fuse_band(current, self.base_rule, images, parts if with_parts else None)
        image = pyramid.synthesise(images, shape)
        return Fused(image, pyramid.synthesise(parts, shape) if with_parts else None)

    def _fuse_band(self, band: Tensor, rule: Rule, images: list[Tensor], parts: list[Tensor] | None) -> None:
        """Append the fused band (..., N, *spatial) and its parts (..., N, S, *spatial)."""
        ndim = self.decomposition.ndim
        flat = band.reshape(-1, *band.shape[-ndim - 1 :])  # trees of a dual-tree base count as further slices
        weights = rule(flat, ndim)
        images.append(combine(flat, weights).reshape(*band.shape[: -ndim - 1], *band.shape[-ndim:]))
        if parts is not None:
            parts.append((weights * flat).reshape(band.shape))
