"""Fusion by dense blocks with adversarial training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.densefuse import REACH
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.dense_dcgan import DenseDCGAN
from MedFusionLib.networks.loading import load_network
from MedFusionLib.weights import card, invention_of


@dataclass(frozen=True)
class DenseAdversarialFusion:
    """The strongest feature vector of a dense encoder, decoded; trained against a discriminator."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="dense-dcgan",
        title="Dense block and adversarial training",
        family="adversarial networks",
        citation="C. Zhao, T. Wang, B. Lei, Medical image fusion method based on dense block and deep convolutional "
        "generative adversarial network, Neural Comput. Appl. 33 (2021) 6595-6610",
        sentence="The strongest feature vector of a dense encoder, decoded: close to the maximum, clean edges, dark "
        "findings may vanish." + below_average("dense-dcgan"),
        reproduces="The design of the abstract: dense encoder, feature vector with the largest norm, decoder; detail, "
        "structure and adversarial loss. Layers are those of DenseFuse; prices and discriminator are our choice.",
        survey_reference="19",
        dims=(2,),
        weights=card("dense-dcgan")["sha256"],
        invention=invention_of("dense-dcgan"),
        identity_psnr=25.0,
        memory_factor=100.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        return FittedNetwork(load_network("dense-dcgan", DenseDCGAN), REACH)
