"""Fusion by MSDNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.errors import UsageError
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.densefuse import RULES
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.loading import load_network
from MedFusionLib.networks.msdnet import MSDNet
from MedFusionLib.networks.nestfuse import ScaleFusion
from MedFusionLib.weights import card

REACH = 10


@dataclass(frozen=True)
class MSDNetFusion:
    """Features of three window sizes, each fused for itself, decoded together.

    Parameters
    ----------
    features : {"l1", "addition"}
        How features are fused: weighted by their L1 norm, or averaged.
    """

    features: str = "l1"

    info: ClassVar[MethodInfo] = MethodInfo(
        name="msdnet",
        title="MSDNet",
        family="auto-encoders",
        citation="X. Song, X.-J. Wu, H. Li, MSDNet for medical image fusion, Proc. ICIG (2019), LNCS 11902, 278-288",
        sentence="Features of three kernel sizes, weighted by their strength and decoded: even pictures, bone "
        "and hot tracer a little grey." + below_average("msdnet"),
        reproduces="Architecture, both rules and the loss; trained on the photographs of scikit-image in 0..1 instead "
        "of COCO.",
        survey_reference="18",
        dims=(2,),
        weights=card("msdnet")["sha256"],
        is_fast=False,
        identity_psnr=30.0,
        memory_factor=500.0,
    )

    def __post_init__(self) -> None:
        if self.features not in RULES:
            raise UsageError(f"Unknown rule {self.features!r} for features", "one of " + ", ".join(RULES))

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        rule, reach = RULES[self.features]
        fusion = ScaleFusion(load_network("msdnet", MSDNet), lambda features: rule(features.unbind(1)))
        return FittedNetwork(fusion.eval(), REACH + reach)
