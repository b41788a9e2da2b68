"""Fusion by TransMEF."""

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
class TransMEFFusion:
    """The mean of what convolutions and attention between patches read of every source, decoded."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="transmef",
        title="TransMEF",
        family="transformer networks",
        citation="L. Qu, S. Liu, M. Wang, Z. Song, TransMEF: a transformer-based multi-exposure image fusion "
        "framework using self-supervised multi-task learning, AAAI 2022, 2126-2134",
        sentence="Much like the average: even, low contrast, hardly anything invented; thin edges soften; for "
        "comparison only." + below_average("transmef"),
        reproduces="Convolutions in full width beside a smaller transformer, three tasks of mending, mean of the "
        "encodings; trained on the photographs of scikit-image instead of COCO.",
        survey_reference="34",
        dims=(2,),
        weights=card("transmef")["sha256"],
        invention=invention_of("transmef"),
        is_fast=False,
        identity_psnr=25.0,
        memory_factor=240.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        return FittedNetwork(load_network("transmef", shipped), reach=None)
