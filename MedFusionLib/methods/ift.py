"""Fusion by IFT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.ift import shipped
from MedFusionLib.networks.loading import load_network
from MedFusionLib.weights import card, invention_of


@dataclass(frozen=True)
class ImageFusionTransformerFusion:
    """Features of two sources joined at four scales, by convolutions and attention; further sources in turn."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="ift",
        title="Image Fusion Transformer",
        family="transformer networks",
        citation="V. Vs, J. M. Jose Valanarasu, P. Oza, V. M. Patel, Image fusion transformer, ICIP 2022, 3566-3570",
        sentence="Close to the maximum: clean edges, a grey band inside bright bone, tracer beneath bright MR "
        "pales; slow." + below_average("ift"),
        reproduces="Auto-encoder and the fusion by both branches at a quarter of the width, trained in two stages; "
        "tables of positions are stretched to the slice, and the loss asks for brightness and edges as well.",
        survey_reference="31, 33",
        dims=(2,),
        weights=card("ift")["sha256"],
        invention=invention_of("ift"),
        is_symmetric=False,
        is_fast=False,
        identity_psnr=20.0,
        memory_factor=450.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        return FittedNetwork(load_network("ift", shipped), reach=None, pairwise=True)
