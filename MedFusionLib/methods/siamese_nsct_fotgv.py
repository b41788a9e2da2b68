"""Contourlets guided by a siamese network, denoised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.additive import SliceBankFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.nsct_fotgv import FittedDenoised, denoiser_for
from MedFusionLib.methods.rules import Tempered
from MedFusionLib.methods.siamese import WEIGHTS, FittedSiamese, MapRule, MatchedMapRule
from MedFusionLib.methods.standing import below_average
from MedFusionLib.transforms.directional import Tiling, bank_for
from MedFusionLib.weights import card

FINE, COARSE = 1.0, 4.0
"""Smoothing of the map in samples, for the detail bands and for the base."""


@dataclass(frozen=True)
class SiameseDenoisedFusion:
    """Contourlet bands mixed by the map, then the noise taken out of the fused slice."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="siamese-nsct-fotgv",
        title="NSCT with a siamese network and FOTGV",
        family="transforms with networks",
        citation="S. Goyal, V. Singh, A. Rani, N. Yadav, Multimodal image fusion and denoising in NSCT domain "
        "using CNN and FOTGV, Biomed. Signal Process. Control 71 (2022) 103214",
        sentence="For noisy sources: a network mixes the bands, then the noise is smoothed away without blurred "
        "edges; slow." + below_average("siamese-nsct-fotgv"),
        reproduces="NSCT, map of a siamese network where the sources match and energy elsewhere, FOTGV of the fused "
        "slice with a noise estimate; the lighter network, trained here.",
        survey_reference="38",
        dims=(2,),
        weights=card(WEIGHTS)["sha256"],
        is_fast=False,
        denoises=True,
        memory_factor=300.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedDenoised:
        """Contourlet windows, and the noise of the sources."""
        bank = bank_for(sources, spacing, Tiling((16, 8, 8, 4)))
        mixed = FittedSiamese(
            lambda weights: SliceBankFusion(
                bank, MatchedMapRule(weights, sigma=FINE), Tempered(MapRule(weights, COARSE))
            )
        )
        return FittedDenoised(mixed, denoiser_for(sources), tuple(spacing))
