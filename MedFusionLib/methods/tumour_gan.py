"""Fusion by a generator that was trained together with a tumour head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.errors import UsageError
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.fusiongan import REACH
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.loading import load_network
from MedFusionLib.networks.tumour_gan import TumourGAN
from MedFusionLib.weights import card, invention_of

WEIGHTS = {"guided": "tumour-gan", "unguided": "tumour-gan-unguided"}


@dataclass(frozen=True)
class TumourGuidedFusion:
    """Lesions should stay separable in the fused image; two sources at a time.

    Parameters
    ----------
    trained : {"guided", "unguided"}
        With the head's errors or without them.
    """

    trained: str = "guided"

    info: ClassVar[MethodInfo] = MethodInfo(
        name="tumour-gan",
        title="GAN with a tumour head",
        family="adversarial networks",
        citation="after an idea of Abirami et al., Behav. Neurol. 2022, 6878783; that paper was retracted by its "
        "publisher: none of its figures is claimed or used",
        sentence="Trained with a second network that looks for planted lesions in the fused image, which did not help: "
        "close to the maximum, a faint comb in bright areas." + below_average("tumour-gan"),
        reproduces="Only the idea; generator, discriminators, head, losses and planted lesions are our own. "
        "`trained=unguided` is the same without the head's influence.",
        survey_reference="47",
        dims=(2,),
        weights=card("tumour-gan")["sha256"],
        invention=invention_of("tumour-gan"),
        is_symmetric=False,
        identity_psnr=20.0,
        memory_factor=60.0,
    )

    def __post_init__(self) -> None:
        if self.trained not in WEIGHTS:
            raise UsageError(f"Unknown training {self.trained!r}", "one of " + ", ".join(WEIGHTS))

    @property
    def weights(self) -> str:
        """SHA-256 of the chosen ones."""
        return card(WEIGHTS[self.trained])["sha256"]

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        network = load_network(WEIGHTS[self.trained], TumourGAN)
        return FittedNetwork(network, REACH * (sources.shape[1] - 1), pairwise=True)
