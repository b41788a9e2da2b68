"""Fusion by EMFusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.emfusion import EMFusion
from MedFusionLib.networks.loading import load_network
from MedFusionLib.weights import card, invention_of

REACH = 8


@dataclass(frozen=True)
class EnhancedMedicalFusion:
    """A small dense network on both sources at once; two sources at a time."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="emfusion",
        title="EMFusion",
        family="end-to-end networks",
        citation="H. Xu, J. Ma, EMFusion: an unsupervised enhanced medical image fusion network, Inf. Fusion 76 "
        "(2021) 177-186",
        sentence="A small dense network, weighted by entropy and brightness: even pictures, bone a little grey."
        + below_average("emfusion"),
        reproduces="Layers; similarity and squared error with weights from entropy and intensity; the constraint "
        "by features that only one modality has is left out.",
        dims=(2,),
        weights=card("emfusion")["sha256"],
        invention=invention_of("emfusion"),
        is_symmetric=False,
        identity_psnr=20.0,
        memory_factor=250.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        return FittedNetwork(load_network("emfusion", EMFusion), REACH * (sources.shape[1] - 1), pairwise=True)
