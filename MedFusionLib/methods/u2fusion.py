"""Fusion by U2Fusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.loading import load_network
from MedFusionLib.networks.u2fusion import U2Fusion
from MedFusionLib.weights import card, invention_of

REACH = 10


@dataclass(frozen=True)
class UnifiedFusion:
    """Dense layers on both sources at once; two sources at a time."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="u2fusion",
        title="U2Fusion",
        family="end-to-end networks",
        citation="H. Xu, J. Ma, J. Jiang, X. Guo, H. Ling, U2Fusion: a unified unsupervised image fusion network, "
        "IEEE Trans. Pattern Anal. Mach. Intell. 44 (2022) 502-518",
        sentence="One dense network for both sources, weighted by what a network for photographs sees in each: "
        "bright and sharp; function beneath bright MR fades." + below_average("u2fusion"),
        reproduces="Layers; similarity and squared error with weights from the gradients of VGG features (16 "
        "instead of 16-BN stages: three of five blocks); trained on a few cases, without the elastic weights "
        "between tasks.",
        dims=(2,),
        weights=card("u2fusion")["sha256"],
        invention=invention_of("u2fusion"),
        is_symmetric=False,
        identity_psnr=20.0,
        memory_factor=400.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        return FittedNetwork(load_network("u2fusion", U2Fusion), REACH * (sources.shape[1] - 1), pairwise=True)
