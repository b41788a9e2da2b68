"""Fusion guided by the activity map of a siamese network: what its methods share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import FittedMethod, Fused, Global
from MedFusionLib.methods.rules import share_between_winners
from MedFusionLib.methods.rules.activity import TINY
from MedFusionLib.networks.loading import load_network, on_device
from MedFusionLib.networks.siamese import Siamese
from MedFusionLib.transforms.filters import box_mean, gaussian

WEIGHTS = "siamese"


@dataclass(frozen=True, eq=False)
class FittedSiamese:
    """Slice by slice: the map of the network, then whatever is built with it.

    Parameters
    ----------
    build : callable
        Makes a fitted method from the map (1, S, H, W) of one slice.
    network : Siamese
        Gives the maps.
    """

    build: Callable[[Tensor], FittedMethod]
    network: Siamese = field(default_factory=partial(load_network, WEIGHTS, Siamese))

    @property
    def support(self) -> Global:
        """Maps are made of whole slices."""
        return Global()

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, H, W)."""
        weights = on_device(self.network, sources.device)
        found = []
        for one in sources.split(1):
            checkpoint()
            found.append(self.build(weights(one)).fuse(one, with_parts=with_parts))
        image = torch.cat([each.image for each in found])
        return Fused(image, torch.cat([each.parts for each in found]) if with_parts else None)


@dataclass(frozen=True, eq=False)
class MapRule:
    """Rule: the map, smoothed and brought to the size of the band.

    Parameters
    ----------
    map : (1, S, H, W) Tensor
        Weights of the sources of one slice.
    sigma : float
        Smoothing in samples; 0 for none.
    """

    map: Tensor
    sigma: float = 0.0

    @property
    def reach(self) -> None:
        """Maps are made of whole slices."""
        return

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights (1, S, H, W)."""
        weights = gaussian(self.map, self.sigma, 2) if self.sigma else self.map
        if weights.shape[-2:] != bands.shape[-2:]:
            weights = F.interpolate(weights, size=bands.shape[-2:], mode="area")
        return weights


@dataclass(frozen=True, eq=False)
class MatchedMapRule:
    """Rule: the map where the sources match, the source with more energy elsewhere.

    Parameters
    ----------
    map : (1, S, H, W) Tensor
        Weights of the sources of one slice.
    threshold : float
        Match (twice the shared energy over the sum of both) from which the map is taken.
    radius : int
        Half size of the window of energies.
    sigma : float
        Smoothing of the map in samples.
    """

    map: Tensor
    threshold: float = 0.6
    radius: int = 3
    sigma: float = 0.0

    @property
    def reach(self) -> None:
        """Maps are made of whole slices."""
        return

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights (1, S, H, W)."""
        energy = box_mean(bands * bands, self.radius, ndim)
        together = box_mean(bands.mean(dim=1, keepdim=True).square(), self.radius, ndim)
        # for two sources this is Burt's match: 1 for equal bands, 0 for independent ones, -1 for opposite ones
        count = bands.shape[1]
        match = (count * together / (energy.mean(dim=1, keepdim=True) + TINY) - 1) / (count - 1)
        shared = MapRule(self.map, self.sigma)(bands, ndim)
        return torch.where(match >= self.threshold, shared, share_between_winners(energy))
