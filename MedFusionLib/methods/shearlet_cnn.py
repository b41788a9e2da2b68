"""Shearlet fusion in which a siamese network tells where the sources agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from MedFusionLib.methods.additive import SliceBankFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.rules import LocalEnergy, Rule
from MedFusionLib.methods.rules.activity import TINY
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.loading import load_network, on_device
from MedFusionLib.networks.nestfuse import enlarged
from MedFusionLib.networks.shearlet_cnn import ShearletSimilarity, correlation
from MedFusionLib.transforms.directional import Tiling, bank_for
from MedFusionLib.transforms.filters import box_mean
from MedFusionLib.weights import card

RADIUS = 3


@dataclass(frozen=True, eq=False)
class FeatureMatch:
    """Average sources whose features correlate with those of the strongest one, else take the strongest alone.

    The match measure of Burt and Kolczynski with the correlation of a network's features in place of
    that of the band: at the threshold the strongest source has all the weight, at a perfect match
    every source the same.
    """

    network: ShearletSimilarity = field(default_factory=partial(load_network, "shearlet-cnn", ShearletSimilarity))

    @property
    def reach(self) -> None:
        """Bands are scaled by their strength in the whole slice."""
        return

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights in 0..1, shape (N, S, H, W)."""
        threshold = self.network.threshold.to(bands.device)
        features = on_device(self.network.encoder, bands.device)(bands.flatten(0, 1)[:, None])
        features = features.unflatten(0, bands.shape[:2])
        energy = box_mean(bands * bands, RADIUS, ndim).add_(TINY)
        leads = (energy == energy.amax(dim=1, keepdim=True)).to(bands.dtype)
        leads /= leads.sum(dim=1, keepdim=True)
        weights = torch.zeros_like(bands)
        for leader in range(bands.shape[1]):
            first = slice(leader, leader + 1)
            match = enlarged(correlation(features[:, first], features), bands)
            lesser = (0.5 - 0.5 * (1 - match) / (1 - threshold)).clamp_(0, 0.5)
            ratios = lesser / (1 - lesser)
            ratios[:, first] = 1
            weights.addcmul_(leads[:, first], ratios / ratios.sum(dim=1, keepdim=True))
        return weights


@dataclass(frozen=True)
class ShearletNetworkFusion:
    """Shearlet bands averaged where a network finds the same structure, the strongest elsewhere.

    Parameters
    ----------
    directions : tuple of int
        Number of directions per scale, fine to coarse.
    detail_rule, base_rule : Rule
        How directional bands and base are weighted.
    """

    directions: tuple[int, ...] = (8, 8, 4, 4)
    detail_rule: Rule = field(default_factory=FeatureMatch)
    base_rule: Rule = field(default_factory=LocalEnergy)

    info: ClassVar[MethodInfo] = MethodInfo(
        name="shearlet-cnn",
        title="Shearlets with network similarity",
        family="transfer learning",
        citation="H. Hermessi, O. Mourali, E. Zagrouba, Convolutional neural network-based multimodal image fusion via "
        "similarity learning in the shearlet domain, Neural Comput. Appl. 30 (2018) 2029-2045",
        sentence="Averages shearlet bands where a network finds them alike, else takes the strongest: crisp, "
        "with faint ringing around the head." + below_average("shearlet-cnn"),
        reproduces="Siamese network from kernels for photographs, fitted to shearlet patches; correlation of features "
        "as the match, local energy for the base. Widths, window and the form of the weights are our choice.",
        survey_reference="22",
        dims=(2,),
        weights=card("shearlet-cnn")["sha256"],
        is_fast=False,
        memory_factor=150.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> SliceBankFusion:
        """Windows for the size and spacing of the slices."""
        bank = bank_for(sources, spacing, Tiling(self.directions, angles="slope"))
        return SliceBankFusion(bank, self.detail_rule, self.base_rule)
