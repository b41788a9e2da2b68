"""Fusion by TransFuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.loading import load_network
from MedFusionLib.networks.transmef import shipped
from MedFusionLib.weights import card, invention_of


@dataclass(frozen=True)
class TransFuseFusion:
    """The network of TransMEF with weights that learned to mend grey values, brightness and noise."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="transfuse",
        title="TransFuse",
        family="transformer networks",
        citation="L. Qu, S. Liu, M. Wang, S. Li, S. Yin, Q. Qiao, Z. Song, TransFuse: a unified transformer-based "
        "image fusion framework using self-supervised learning, arXiv:2201.07451 (2022)",
        sentence="Much like the average, edges a little softer: even, low contrast, hardly anything invented; for "
        "comparison only." + below_average("transfuse"),
        reproduces="The network of TransMEF, trained to mend grey values, brightness and noise instead; grey values "
        "go through rising curves only.",
        survey_reference="35",
        dims=(2,),
        weights=card("transfuse")["sha256"],
        invention=invention_of("transfuse"),
        is_fast=False,
        identity_psnr=25.0,
        memory_factor=240.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        return FittedNetwork(load_network("transfuse", shipped), reach=None)
