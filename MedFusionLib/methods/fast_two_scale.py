"""Fast two-scale fusion: contrast saliency for the base, amplitude for the detail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Local, MethodInfo
from MedFusionLib.methods.rules.activity import TINY
from MedFusionLib.methods.two_scale import TwoScaleFusion
from MedFusionLib.transforms.filters import box_mean, per_axis
from MedFusionLib.transforms.smoothing import guided_filter

BINS = 256


@dataclass(frozen=True)
class FastTwoScale:
    """Values that stand out from the histogram rule the base, strong details rule the detail.

    Parameters
    ----------
    window : int
        Half size of the mean that makes the base, in finest samples.
    radius : int
        Half size of the guided filter that smooths the base weights, in finest samples.
    epsilon : float
        Its regularisation.
    """

    window: int = 22
    radius: int = 45
    epsilon: float = 0.01

    info: ClassVar[MethodInfo] = MethodInfo(
        name="fast-two-scale",
        title="Fast two-scale fusion",
        family="two-scale",
        citation="F. Lahoud, S. Susstrunk, Fast and efficient zero-learning image fusion, arXiv:1905.03590 (2019)",
        sentence="Rare, bright values win the base; both sources share the detail by amplitude. No network, no "
        "ringing.",
        reproduces="Base split, histogram contrast and guided filter; exponentials of the scaled amplitude stand where "
        "the paper has network features. Histograms are taken over the whole volume.",
        survey_reference="21",
        memory_factor=14.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> TwoScaleFusion:
        """Histogram contrast of the whole input, and window sizes."""
        ndim = sources.ndim - 2
        tables = torch.stack([contrast_table(sources[:, number]) for number in range(sources.shape[1])])
        window, radius = per_axis(self.window, spacing), per_axis(self.radius, spacing)
        reach = max(max(window) + 1, 2 * max(radius))

        def base_weights(stack: Tensor, base: Tensor) -> Tensor:
            salient = _look_up(tables.to(stack.device), stack)
            shares = salient / salient.sum(dim=1, keepdim=True).clamp(min=TINY)
            smooth = guided_filter(shares, stack, radius, self.epsilon, ndim).clamp_(0, 1).add_(TINY)
            return smooth.div_(smooth.sum(dim=1, keepdim=True))

        def detail_weights(stack: Tensor, detail: Tensor) -> Tensor:
            # amplitudes are at most 1, so that exp(4 a) spans what min-max scaling spans in the paper
            return torch.softmax(box_mean(detail.abs(), 1, ndim).mul_(4), dim=1)

        support = Local(halo=(reach,) * ndim, alignment=(1,) * ndim)
        return TwoScaleFusion(lambda stack: box_mean(stack, window, ndim), base_weights, detail_weights, support)


def contrast_table(values: Tensor) -> Tensor:
    """Mean distance of every grey level 0..255 to the values (N, *spatial, in 0..1), scaled to at most 1."""
    histogram = torch.zeros(BINS, dtype=torch.float64)
    for part in values:
        checkpoint()
        levels = (part.flatten() * (BINS - 1)).round_().clamp_(0, BINS - 1).to(torch.int32)
        histogram += torch.bincount(levels, minlength=BINS).cpu()
    grey = torch.arange(BINS, dtype=torch.float64)
    distance = (grey[:, None] - grey[None]).abs() @ (histogram / histogram.sum())
    return (distance / distance.max().clamp(min=TINY)).float()


def _look_up(tables: Tensor, stack: Tensor) -> Tensor:
    levels = (stack * (BINS - 1)).round_().clamp_(0, BINS - 1).long()
    return torch.stack([tables[number][levels[:, number]] for number in range(stack.shape[1])], dim=1)
