"""Fusion by FusionGAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.fusiongan import shipped
from MedFusionLib.networks.loading import load_network
from MedFusionLib.weights import card, invention_of

REACH = 6


@dataclass(frozen=True)
class FusionGANFusion:
    """Brightness of the second source with the edges of the first; further sources are fused to the result in turn."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="fusiongan",
        title="FusionGAN",
        family="adversarial networks",
        citation="J. Ma, W. Yu, P. Liang, C. Li, J. Jiang, FusionGAN: a generative adversarial network for infrared "
        "and visible image fusion, Inf. Fusion 48 (2019) 11-26",
        sentence="Brightness of the second source with thin edges of the first, whose own bright tissue is lost; "
        "for comparison only." + below_average("fusiongan"),
        reproduces="Layers at an eighth of the width, losses with their prices; the anatomical source stands for the "
        "visible one; borders, turns of the players, a price on veiled black and steps are our choice.",
        dims=(2,),
        weights=card("fusiongan")["sha256"],
        invention=invention_of("fusiongan"),
        is_symmetric=False,
        identity_psnr=20.0,
        memory_factor=60.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        return FittedNetwork(load_network("fusiongan", shipped), REACH * (sources.shape[1] - 1), pairwise=True)
