"""Fusion by DenseFuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.errors import UsageError
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.densefuse import DenseFuse, FeatureFusion, l1_weighted_features, mean_features
from MedFusionLib.networks.loading import load_network
from MedFusionLib.weights import card

REACH = 8
CHANNELS = 48
"""Of 64: sources are encoded one after the other. Higher strips would lose their memory to the system in between."""
RULES = {"addition": (mean_features, 0), "l1": (l1_weighted_features, 1)}
"""Rules by name, and how far they reach."""


@dataclass(frozen=True)
class DenseFuseFusion:
    """Features of a dense encoder, fused and decoded.

    Parameters
    ----------
    features : {"l1", "addition"}
        How features are fused: weighted by their L1 norm, or averaged.
    """

    features: str = "l1"

    info: ClassVar[MethodInfo] = MethodInfo(
        name="densefuse",
        title="DenseFuse",
        family="auto-encoders",
        citation="H. Li, X.-J. Wu, DenseFuse: a fusion approach to infrared and visible images, IEEE Trans. Image "
        "Process. 28 (2019) 2614-2623",
        sentence="Features of an encoder trained on photographs are weighted and decoded; soft, rather grey pictures."
        + below_average("densefuse"),
        reproduces="Architecture, both rules and the loss; trained on the photographs of scikit-image in 0..1 instead "
        "of COCO.",
        survey_reference="17",
        dims=(2,),
        weights=card("densefuse")["sha256"],
        identity_psnr=35.0,
        memory_factor=100.0,
    )

    def __post_init__(self) -> None:
        if self.features not in RULES:
            raise UsageError(f"Unknown rule {self.features!r} for features", "one of " + ", ".join(RULES))

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        rule, reach = RULES[self.features]
        fusion = FeatureFusion(load_network("densefuse", DenseFuse), rule).eval()
        return FittedNetwork(fusion, REACH + reach, channels=CHANNELS)
