"""Fusion by NestFuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.loading import load_network
from MedFusionLib.networks.nestfuse import NestFuse, ScaleFusion, joint_attention
from MedFusionLib.weights import card


@dataclass(frozen=True)
class NestFuseFusion:
    """Features at four scales, fused by spatial and channel attention and decoded through nested connections."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="nestfuse",
        title="NestFuse",
        family="auto-encoders",
        citation="H. Li, X.-J. Wu, T. Durrani, NestFuse: an infrared and visible image fusion architecture based on "
        "nest connection and spatial/channel attention models, IEEE Trans. Instrum. Meas. 69 (2020) 9645-9656",
        sentence="Nested features with attention, trained on photographs: even but grey, bone and hot tracer "
        "lose brightness." + below_average("nestfuse"),
        reproduces="Architecture, both attentions (channels by their mean) and the loss; trained on the photographs of "
        "scikit-image in 0..1 instead of COCO.",
        dims=(2,),
        weights=card("nestfuse")["sha256"],
        is_fast=False,
        identity_psnr=25.0,
        memory_factor=1000.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input; channel attention sees the whole slice."""
        return FittedNetwork(ScaleFusion(load_network("nestfuse", NestFuse), joint_attention).eval(), reach=None)
