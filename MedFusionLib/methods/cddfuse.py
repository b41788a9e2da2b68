"""Fusion by CDDFuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.cddfuse import shipped
from MedFusionLib.networks.loading import load_network
from MedFusionLib.weights import card, invention_of


@dataclass(frozen=True)
class BaseDetailFusion:
    """Base and detail of every source, fused apart and decoded together."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="cddfuse",
        title="CDDFuse",
        family="transformer networks",
        citation="Z. Zhao et al., CDDFuse: correlation-driven dual-branch feature decomposition for multi-modality "
        "image fusion, CVPR 2023, 5906-5916",
        sentence="Bright and crisp, close to the maximum; a fine comb of single samples in places; SPECT beneath "
        "bright MR fades." + below_average("cddfuse"),
        reproduces="Encoder, both branches, decoder and both stages of the training at a quarter of the width; one "
        "network for all modalities, and the picture is not stretched to the full range afterwards.",
        dims=(2,),
        weights=card("cddfuse")["sha256"],
        invention=invention_of("cddfuse"),
        is_fast=False,
        identity_psnr=20.0,
        memory_factor=370.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        return FittedNetwork(load_network("cddfuse", shipped), reach=None)
