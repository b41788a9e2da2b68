"""Shearlets and curvelets guided by a siamese network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from MedFusionLib.methods.additive import SliceBank, SliceBankFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import Tempered
from MedFusionLib.methods.siamese import WEIGHTS, FittedSiamese, MapRule, MatchedMapRule
from MedFusionLib.methods.standing import below_average
from MedFusionLib.transforms.directional import Tiling, bank_for
from MedFusionLib.weights import card

FINE, COARSE = 2.0, 8.0
"""Smoothing of the map in samples, for the detail bands and for the base."""


@dataclass(frozen=True)
class Cascade:
    """Bands of one bank, the last of them split by another.

    Parameters
    ----------
    first, second : SliceBank
        For the image, and for the base of the first.
    """

    first: SliceBank
    second: SliceBank

    def __len__(self) -> int:
        """Number of bands, the base included."""
        return len(self.first) - 1 + len(self.second)

    def bands(self, image: Tensor) -> Iterator[Tensor]:
        """Detail bands, then the base, of an image (..., H, W)."""
        for number, band in enumerate(self.first.bands(image)):
            if number < len(self.first) - 1:
                yield band
            else:
                yield from self.second.bands(band)


@dataclass(frozen=True)
class SiameseShearletCurveletFusion:
    """Shearlets, and curvelets in their base, all mixed by the map."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="siamese-nsst-curvelet",
        title="NSST and curvelets with a siamese network",
        family="transforms with networks",
        citation="Abas et al., fusion by shearlets, curvelets and a siamese network, as cited by the survey of "
        "the field (its number 40)",
        sentence="Shearlet and curvelet bands, mixed by a network where sources agree and selected elsewhere."
        + below_average("siamese-nsst-curvelet"),
        reproduces="Directional bands weighted by the network's map where the sources match and by energy elsewhere, "
        "the base by both (the map alone hides flat lesions); curvelets split the base of the shearlets (our "
        "reading: cascade or two variants could not be told).",
        survey_reference="40",
        dims=(2,),
        weights=card(WEIGHTS)["sha256"],
        is_fast=False,
        memory_factor=300.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedSiamese:
        """Windows for the size and spacing of the slices."""
        shearlets = bank_for(sources, spacing, Tiling((16, 8), "slope"))
        curvelets = bank_for(sources, spacing, Tiling((16, 8, 8), "slope", "square"))
        bank = Cascade(shearlets, curvelets)
        return FittedSiamese(
            lambda weights: SliceBankFusion(
                bank, MatchedMapRule(weights, sigma=FINE), Tempered(MapRule(weights, COARSE))
            )
        )
