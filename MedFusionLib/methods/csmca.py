"""Fusion by convolutional sparse codes of cartoon and texture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Global, MethodInfo
from MedFusionLib.methods.csr import SEAM, most_active
from MedFusionLib.methods.rules import LocalEnergy, Rule
from MedFusionLib.sparse.convolutional import Coder
from MedFusionLib.sparse.dictionaries import load_dictionary
from MedFusionLib.transforms.frequency import extended_lengths
from MedFusionLib.transforms.smoothing import tikhonov
from MedFusionLib.weights import card

CARTOON, TEXTURE = "cartoon8", "texture8"
BASE_STRENGTH = 60.0
CARTOON_RADIUS, TEXTURE_RADIUS = 5, 2


@dataclass(frozen=True)
class MorphologicalComponentFusion:
    """Cartoon and texture of the detail, each coded with its own filters and chosen by its own activity.

    Parameters
    ----------
    sparsities : tuple of float
        Weight of the moduli in every turn of coding cartoon and texture.
    iterations : int
        Iterations of the coder per turn.
    base_rule : Rule
        How the base is weighted.
    """

    sparsities: tuple[float, ...] = (0.1, 0.03, 0.01)
    iterations: int = 10
    base_rule: Rule = field(default_factory=LocalEnergy)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="csmca",
        title="Convolutional sparsity based morphological component analysis",
        family="sparse representation",
        citation="Y. Liu, X. Chen, R. K. Ward, Z. J. Wang, Medical image fusion via convolutional sparsity based "
        "morphological component analysis, IEEE Signal Process. Lett. 26 (2019) 485-489",
        sentence="Tells contours from texture before choosing each: faint texture survives next to strong edges; "
        "very slow.",
        reproduces="Base of strength 60, falling sparsity, windows of 11 and 5 samples; three turns of ten "
        "iterations, the "
        "energy-weighted base, and keeping what the codes leave over are our choice.",
        survey_reference="8",
        dims=(2,),
        weights=card(TEXTURE)["sha256"],
        is_fast=False,
        memory_factor=120.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedMorphological:
        """The periodic extension and both sets of filters."""
        coders = [[self._coder(name, sparsity) for name in (CARTOON, TEXTURE)] for sparsity in self.sparsities]
        return FittedMorphological(coders, self.base_rule, tuple(spacing), extended_lengths(sources, 2, SEAM))

    def _coder(self, name: str, sparsity: float) -> Coder:
        return Coder(load_dictionary(name), sparsity, 50 * sparsity + 1, self.iterations)


@dataclass(frozen=True)
class FittedMorphological:
    """Cartoon and texture coders, one pair per turn, for one size."""

    coders: list[list[Coder]]
    base_rule: Rule
    spacing: tuple[float, ...]
    lengths: tuple[int, ...]

    @property
    def support(self) -> Global:
        """Every map depends on the whole slice."""
        return Global()

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, H, W)."""
        base = tikhonov(sources, BASE_STRENGTH, self.spacing, self.lengths)
        parts = self.base_rule(base, 2) * base
        for number, slices in enumerate(sources - base):
            checkpoint()
            parts[number] += self._chosen(slices)
        return Fused(parts.sum(dim=1), parts if with_parts else None)

    def _chosen(self, detail: Tensor) -> Tensor:
        """What every source gives of the detail (S, H, W) of one slice."""
        cartoon, texture = (list(maps) for maps in zip(*(self._components(image) for image in detail)))
        for_cartoon, for_texture = most_active(cartoon, CARTOON_RADIUS), most_active(texture, TEXTURE_RADIUS)
        first, second = self.coders[-1]
        parts = torch.empty_like(detail)
        for source, image in enumerate(detail):
            left = image - first.rebuild(cartoon[source]) - second.rebuild(texture[source])
            parts[source] = first.rebuild(cartoon[source] * for_cartoon[source])
            parts[source] += second.rebuild(texture[source] * for_texture[source]) + for_texture[source] * left
        return parts

    def _components(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (M, H, W) of cartoon and texture, coded by turns from what the other leaves."""
        texture, states = torch.zeros_like(image), [None, None]
        for for_cartoon, for_texture in self.coders:
            states[0] = for_cartoon.code(image - texture, states[0])
            cartoon = for_cartoon.rebuild(states[0][0])
            states[1] = for_texture.code(image - cartoon, states[1])
            texture = for_texture.rebuild(states[1][0])
        return states[0][0], states[1][0]
