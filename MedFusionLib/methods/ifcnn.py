"""Fusion by IFCNN."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from MedFusionLib.errors import UsageError
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.ifcnn import IFCNN
from MedFusionLib.networks.loading import load_network
from MedFusionLib.weights import card, invention_of

REACH = 5
TRAINED = {
    "max": ("ifcnn", IFCNN),
    "sum": ("ifcnn-sum", partial(IFCNN, "sum")),
    "mean": ("ifcnn-mean", partial(IFCNN, "mean")),
}
"""Names of the weights by how features are joined, and what makes the network without them."""


@dataclass(frozen=True)
class IFCNNFusion:
    """Features of all sources joined sample by sample.

    Parameters
    ----------
    join : {"max", "sum", "mean"}
        How; the paper takes the largest for medical images. Every way has weights of its own; the sum of more
        than two sources is brought to that of two.
    """

    join: str = "max"

    info: ClassVar[MethodInfo] = MethodInfo(
        name="ifcnn",
        title="IFCNN",
        family="end-to-end networks",
        citation="Y. Zhang, Y. Liu, P. Sun, H. Yan, X. Zhao, L. Zhang, IFCNN: a general image fusion framework "
        "based on convolutional neural network, Inf. Fusion 54 (2020) 99-118",
        sentence="Features of every source, the strongest kept: crisp edges, flat bone." + below_average("ifcnn"),
        reproduces="Layers, the three ways to join, training on photographs blurred in places with squared and "
        "feature error; the first layer is trained here too (the paper takes that of ResNet-101), and veiled black has "
        "a price.",
        dims=(2,),
        weights=card("ifcnn")["sha256"],
        invention=invention_of("ifcnn"),
        identity_psnr=25.0,
        memory_factor=200.0,
    )

    def __post_init__(self) -> None:
        if self.join not in TRAINED:
            raise UsageError(f"Unknown way {self.join!r} to join features", "one of " + ", ".join(TRAINED))

    @property
    def weights(self) -> str:
        """SHA-256 of the chosen ones."""
        return card(TRAINED[self.join][0])["sha256"]

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        return FittedNetwork(load_network(*TRAINED[self.join]), REACH)
