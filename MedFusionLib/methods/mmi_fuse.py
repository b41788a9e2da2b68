"""Fusion by MMI-Fuse: attention weighted by information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.densefuse import FeatureFusion
from MedFusionLib.networks.information import InformationNet, weighted_attention
from MedFusionLib.networks.loading import load_network
from MedFusionLib.weights import card, invention_of


@dataclass(frozen=True)
class InformationFusion:
    """Features fused by attention of channels and places, each weighted by the information of the source."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="mmi-fuse",
        title="MMI-Fuse",
        family="auto-encoders",
        citation="Z. Shi et al., MMI-Fuse: multimodal brain image fusion with multiattention module, IEEE Access 10 "
        "(2022) 37200, doi:10.1109/ACCESS.2022.3163260",
        sentence="Features weighted by attention and information: sharp, but leans on the source with more edges, "
        "usually the MR." + below_average("mmi-fuse"),
        reproduces="Our reading of the abstract: channel and spatial attention weighted by the degree of information "
        "preservation; encoder and decoder are those of DenseFuse, fitted to medical slices and photographs.",
        survey_reference="46",
        dims=(2,),
        weights=card("mmi-fuse")["sha256"],
        invention=invention_of("mmi-fuse"),
        identity_psnr=30.0,
        memory_factor=120.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input; the information is that of the whole slice."""
        return FittedNetwork(
            FeatureFusion(load_network("mmi-fuse", InformationNet), weighted_attention).eval(), reach=None
        )
