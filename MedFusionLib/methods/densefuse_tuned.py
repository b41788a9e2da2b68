"""Fusion by DenseFuse fitted to medical pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.densefuse import REACH
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.densefuse import TunedDenseFuse
from MedFusionLib.networks.loading import load_network
from MedFusionLib.weights import card


@dataclass(frozen=True)
class TunedDenseFuseFusion:
    """The strongest features of an encoder from photographs, all fitted to a few medical cases."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="densefuse-tuned",
        title="DenseFuse, fitted to medical pairs",
        family="transfer learning",
        citation="Y. Wang, transfer learning, as cited by the survey of the field (its number 23); network: H. Li, "
        "X.-J. Wu, IEEE Trans. Image Process. 28 (2019) 2614-2623",
        sentence="DenseFuse fitted to a few medical cases: brighter and sharper than before the fit."
        + below_average("densefuse-tuned"),
        reproduces="The idea: start from a network for photographs, fit to few cases. Network, rule (strongest "
        "features) and loss (intensity, gradient, SSIM) are our choice; the card compares with random values.",
        survey_reference="23",
        dims=(2,),
        weights=card("densefuse-tuned")["sha256"],
        identity_psnr=25.0,
        memory_factor=100.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        return FittedNetwork(load_network("densefuse-tuned", TunedDenseFuse), REACH)
