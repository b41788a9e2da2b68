"""Fusion by MCFNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.loading import load_network
from MedFusionLib.networks.mcfnet import MCFNet
from MedFusionLib.weights import card, invention_of

REACH, DECIMATION = 40, 4


@dataclass(frozen=True)
class MCFNetFusion:
    """Residual network that sees the sources again at every stage; two sources at a time."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="mcfnet",
        title="MCFNet",
        family="transfer learning",
        citation="X. Liang, P. Hu, L. Zhang, J. Sun, G. Yin, MCFNet: multi-layer concatenation fusion network for "
        "medical images fusion, IEEE Sens. J. 19 (2019) 7107-7119",
        sentence="A cascade trained on photographs with medical grey values: bright and sharp; edges overshoot "
        "the sources in places." + below_average("mcfnet"),
        reproduces="Residual stages, sources joined to every stage of the decoder, fast up-convolutions, training on "
        "photographs matched to medical grey values; widths, loss and the matching in detail are our choice.",
        survey_reference="28",
        dims=(2,),
        weights=card("mcfnet")["sha256"],
        invention=invention_of("mcfnet"),
        is_symmetric=False,
        identity_psnr=25.0,
        memory_factor=150.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        count = sources.shape[1]
        return FittedNetwork(load_network("mcfnet", MCFNet), REACH * (count - 1), DECIMATION, pairwise=True)
