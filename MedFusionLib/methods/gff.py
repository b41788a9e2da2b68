"""Guided-filter fusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import Local, MethodInfo
from MedFusionLib.methods.rules.saliency import GuidedSaliency
from MedFusionLib.methods.two_scale import TwoScaleFusion
from MedFusionLib.transforms.filters import box_mean, per_axis


@dataclass(frozen=True)
class GuidedFilterFusion:
    """Salient source chosen, its weights smoothed along the edges: broadly in the base, sharply in the detail.

    Parameters
    ----------
    window : int
        Half size of the mean that makes the base, in finest samples.
    base_radius, base_epsilon, detail_radius, detail_epsilon : number
        Half size (finest samples) and regularisation of the guided filters for both weights.
    """

    window: int = 15
    base_radius: int = 45
    base_epsilon: float = 0.3
    detail_radius: int = 7
    detail_epsilon: float = 1e-6

    info: ClassVar[MethodInfo] = MethodInfo(
        name="gff",
        title="Guided-filter fusion",
        family="two-scale",
        citation="S. Li, X. Kang, J. Hu, Image fusion with guided filtering, IEEE Trans. Image Process. 22 (2013) "
        "2864-2875",
        sentence="Quick and free of ringing: weights follow the anatomy's edges, no coefficients are mixed.",
        reproduces="All constants; in volumes the windows keep their size in millimetres.",
        memory_factor=14.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> TwoScaleFusion:
        """Window sizes for the spacing of the input."""
        ndim = sources.ndim - 2
        window = per_axis(self.window, spacing)
        base = GuidedSaliency(per_axis(self.base_radius, spacing), self.base_epsilon)
        detail = GuidedSaliency(per_axis(self.detail_radius, spacing), self.detail_epsilon)
        reach = max(max(window), base.reach, detail.reach)
        return TwoScaleFusion(
            lambda stack: box_mean(stack, window, ndim),
            lambda stack, band: base(stack, ndim),
            lambda stack, band: detail(stack, ndim),
            Local(halo=(reach,) * ndim, alignment=(1,) * ndim),
        )
