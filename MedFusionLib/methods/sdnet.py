"""Fusion by SDNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.loading import load_network
from MedFusionLib.networks.sdnet import SDNet
from MedFusionLib.weights import card, invention_of

REACH = 6


@dataclass(frozen=True)
class SDNetFusion:
    """Squeezed so that both sources can be drawn from the fused image; two sources at a time."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="sdnet",
        title="SDNet",
        family="end-to-end networks",
        citation="H. Zhang, J. Ma, SDNet: a versatile squeeze-and-decomposition network for real-time image "
        "fusion, Int. J. Comput. Vis. 129 (2021) 2761-2785",
        sentence="Both sources must be readable from the fused image: natural and even, bone and bright fluid a little "
        "grey." + below_average("sdnet"),
        reproduces="Layers and loss with its pixel-wise decision on gradients; that brightness is measured from what "
        "the network makes of black sources, and the brighter source counts twice, is our choice.",
        dims=(2,),
        weights=card("sdnet")["sha256"],
        invention=invention_of("sdnet"),
        is_symmetric=False,
        identity_psnr=25.0,
        memory_factor=200.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        return FittedNetwork(load_network("sdnet", SDNet), REACH * (sources.shape[1] - 1), pairwise=True)
