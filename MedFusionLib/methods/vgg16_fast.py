"""Fast two-scale fusion with features of a network for photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from MedFusionLib.methods.base import Global, MethodInfo
from MedFusionLib.methods.fast_two_scale import BaseSplit
from MedFusionLib.methods.rules.activity import TINY
from MedFusionLib.methods.standing import below_average
from MedFusionLib.methods.two_scale import TwoScaleFusion
from MedFusionLib.methods.vgg16_zero import VggActivity
from MedFusionLib.weights import card


@dataclass(frozen=True)
class Vgg16Fast:
    """Histogram contrast rules the base, the first features of VGG16 the detail.

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
        name="vgg16-fast",
        title="Fast zero-learning fusion with VGG16",
        family="transfer learning",
        citation="F. Lahoud, S. Susstrunk, Fast and efficient zero-learning image fusion, arXiv:1905.03590 (2019)",
        sentence="Rare, bright values win the base; a network for photographs shares out the detail. No training; soft "
        "pictures; nothing is brighter or darker than the sources around it." + below_average("vgg16-fast"),
        reproduces="Complete but for VGG16 in place of VGG19 (different numbers); histograms are taken over the whole "
        "volume, details enter in 0..255, and samples are held to what the sources show within one sample around them "
        "(the paper: to 0..1).",
        survey_reference="21",
        dims=(2,),
        weights=card("vgg16")["sha256"],
        memory_factor=30.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> TwoScaleFusion:
        """Histogram contrast of the whole input, and window sizes."""
        split = BaseSplit.of(sources, spacing, self.window, self.radius, self.epsilon)
        return TwoScaleFusion(split.base, split.weights, FeatureWeights(VggActivity()), Global(), is_held=True)


@dataclass(frozen=True, eq=False)
class FeatureWeights:
    """Weights of the details: activity of each scaled to 0..1 in its slice, then the softmax of them."""

    activity: VggActivity

    def __call__(self, stack: Tensor, detail: Tensor) -> Tensor:
        """(N, S, H, W), 1 in sum over the sources."""
        activity = self.activity(detail, 2)
        low = activity.amin(dim=(-2, -1), keepdim=True)
        span = activity.amax(dim=(-2, -1), keepdim=True) - low
        return torch.softmax((activity - low) / span.clamp(min=TINY), dim=1)
