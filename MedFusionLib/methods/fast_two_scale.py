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
        "the paper has network features. Histograms are taken over the whole volume; samples are held to what the "
        "sources show within one sample around them (the paper: to 0..1).",
        survey_reference="21",
        memory_factor=14.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> TwoScaleFusion:
        """Histogram contrast of the whole input, and window sizes."""
        ndim = sources.ndim - 2
        split = BaseSplit.of(sources, spacing, self.window, self.radius, self.epsilon)

        def detail_weights(stack: Tensor, detail: Tensor) -> Tensor:
            # amplitudes are at most 1, so that exp(4 a) spans what min-max scaling spans in the paper
            return torch.softmax(box_mean(detail.abs(), 1, ndim).mul_(4), dim=1)

        support = Local(halo=(split.reach,) * ndim, alignment=(1,) * ndim)
        return TwoScaleFusion(split.base, split.weights, detail_weights, support, is_held=True)


@dataclass(frozen=True, eq=False)
class BaseSplit:
    """Base of the sources and its weights by histogram contrast.

    Parameters
    ----------
    tables : (S, 256) Tensor
        Contrast of every grey level of each source.
    window, radius : tuple of int
        Half sizes per axis of the mean that makes the base, and of the guided filter for its weights.
    epsilon : float
        Regularisation of the guided filter.
    """

    tables: Tensor
    window: tuple[int, ...]
    radius: tuple[int, ...]
    epsilon: float

    @classmethod
    def of(cls, sources: Tensor, spacing: tuple[float, ...], window: int, radius: int, epsilon: float) -> BaseSplit:
        """Histograms of the whole input, and window sizes in its samples."""
        tables = torch.stack([contrast_table(sources[:, number]) for number in range(sources.shape[1])])
        return cls(tables, per_axis(window, spacing), per_axis(radius, spacing), epsilon)

    @property
    def reach(self) -> int:
        """How far it looks sideways."""
        return max(max(self.window) + 1, 2 * max(self.radius))

    def base(self, stack: Tensor) -> Tensor:
        """Base of sources (N, S, *spatial)."""
        return box_mean(stack, self.window, stack.ndim - 2)

    def weights(self, stack: Tensor, base: Tensor) -> Tensor:
        """Weights of the sources (N, S, *spatial) in the base."""
        salient = _look_up(self.tables.to(stack.device), stack)
        shares = salient / salient.sum(dim=1, keepdim=True).clamp(min=TINY)
        smooth = guided_filter(shares, stack, self.radius, self.epsilon, stack.ndim - 2).clamp_(0, 1).add_(TINY)
        return smooth.div_(smooth.sum(dim=1, keepdim=True))


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
