"""Zero-learning fusion of medical images: activity of a network for photographs weights the values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.pixelwise import PixelwiseFusion
from MedFusionLib.methods.rules import InProportion
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.loading import load_network
from MedFusionLib.networks.vgg import VGG16, first_activity
from MedFusionLib.weights import card

ORIENTATIONS = {2: ((0, 1),), 3: ((1, 2), (0, 2), (0, 1))}
"""Pairs of axes in which a slice or a volume is cut."""


@dataclass(frozen=True, eq=False)
class VggActivity:
    """Sum of the features after the first ReLU of VGG16, in slices along every axis."""

    network: VGG16 = field(default_factory=partial(load_network, "vgg16", VGG16))

    @property
    def reach(self) -> int:
        """One convolution of three samples."""
        return 1

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Activity of bands (N, S, *spatial), averaged over the orientations."""
        total = torch.zeros_like(bands, dtype=torch.float32)
        for axes in ORIENTATIONS[ndim]:
            moved = bands.movedim([axis - ndim for axis in axes], (-2, -1))
            activity = first_activity(self.network, moved.flatten(0, -3)).reshape(moved.shape)
            total += activity.movedim((-2, -1), [axis - ndim for axis in axes])
        return total / len(ORIENTATIONS[ndim])


@dataclass(frozen=True)
class Vgg16Zero:
    """Values weighted by their share of the first features of VGG16."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="vgg16-zero",
        title="Zero-learning fusion with VGG16",
        family="transfer learning",
        citation="F. Lahoud, S. Susstrunk, Zero-learning fast medical image fusion, Proc. FUSION (2019)",
        sentence="A network for photographs weights every voxel by its first features: bright voxels count more; no "
        "training, nothing invented." + below_average("vgg16-zero"),
        reproduces="Weights by the summed first features, one layer, no normalisation; VGG16 stands for the VGG19 of "
        "the paper (different numbers). Values in 0..255; in volumes three orientations are averaged (our choice).",
        survey_reference="21",
        weights=card("vgg16")["sha256"],
        memory_factor=24.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> PixelwiseFusion:
        """Nothing depends on the input."""
        return PixelwiseFusion(InProportion(VggActivity()), sources.ndim - 2)
