"""Fusion by PMGI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.loading import load_network
from MedFusionLib.networks.pmgi import PMGI
from MedFusionLib.weights import card, invention_of

REACH = 6


@dataclass(frozen=True)
class PMGIFusion:
    """Paths for gradients and for intensities; two sources at a time."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="pmgi",
        title="PMGI",
        family="end-to-end networks",
        citation="H. Zhang, H. Xu, Y. Xiao, X. Guo, J. Ma, Rethinking the image fusion: a fast unified image "
        "fusion network based on proportional maintenance of gradient and intensity, AAAI 2020",
        sentence="One path keeps gradients, one intensities: even pictures, bone and bright fluid grey."
        + below_average("pmgi"),
        reproduces="Layers and the form of the loss; the gradient is held to the strongest of both sources, so "
        "that the order of modalities does not matter in training.",
        dims=(2,),
        weights=card("pmgi")["sha256"],
        invention=invention_of("pmgi"),
        is_symmetric=False,
        identity_psnr=20.0,
        memory_factor=200.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        return FittedNetwork(load_network("pmgi", PMGI), REACH * (sources.shape[1] - 1), pairwise=True)
