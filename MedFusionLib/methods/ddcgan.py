"""Fusion by DDcGAN, which takes a functional source at its own resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.methods.base import Fused, Global, MethodInfo
from MedFusionLib.methods.learned import FittedNetwork
from MedFusionLib.methods.standing import below_average
from MedFusionLib.native import NativeSlices
from MedFusionLib.networks.attribution import attributed_parts
from MedFusionLib.networks.ddcgan import FACTOR, DDcGAN, Placement, shipped
from MedFusionLib.networks.loading import load_network
from MedFusionLib.weights import card, invention_of

REACH = 28


@dataclass(frozen=True)
class FittedNative:
    """The network with functional sources on their own grids.

    Parameters
    ----------
    network : DDcGAN
        Shared and never changed.
    native : tuple
        Per moving source its slices, or None where it is on the grid of the reference.
    numbers : slice
        The slices of the reference that `fuse` gets.
    """

    network: DDcGAN
    native: tuple[NativeSlices | None, ...]
    numbers: slice = field(default_factory=lambda: slice(None))

    @property
    def support(self) -> Global:
        """Slices stay whole, since positions count from their corner."""
        return Global()

    def at(self, numbers: slice) -> FittedNative:
        """The same for a range of slices."""
        return replace(self, numbers=numbers)

    def fuse(self, sources: Tensor, *, with_parts: bool = False) -> Fused:
        """Fuse sources (N, S, H, W); of those that have slices of their own only the parts are taken from them."""
        network = _on(self.network, sources.device)
        images = []
        for number, some in enumerate(sources.split(1)):
            checkpoint()
            image = some[:, 0]
            for moving, own in enumerate(self.native, 1):
                if own is None:
                    image = network(torch.stack((image, some[:, moving]), dim=1)).float()
                    continue
                low = torch.from_numpy(own.images[self.numbers][number])[None, None].to(sources.device)
                image = network.fuse_native(image[:, None], low, Placement(own.rows, own.columns)).float()
            images.append(image)
        parts = [attributed_parts(image, some) for image, some in zip(images, sources.split(1))] if with_parts else None
        return Fused(torch.cat(images), torch.cat(parts) if with_parts else None)


@dataclass(frozen=True)
class DualDiscriminatorFusion:
    """Anatomy at full resolution, function at its own; further sources are fused to the result in turn."""

    info: ClassVar[MethodInfo] = MethodInfo(
        name="ddcgan",
        title="DDcGAN",
        family="adversarial networks",
        citation="J. Ma, H. Xu, J. Jiang, X. Mei, X.-P. Zhang, DDcGAN: a dual-discriminator conditional generative "
        "adversarial network for multi-resolution image fusion, IEEE Trans. Image Process. 29 (2020) 4980-4995",
        sentence="Takes PET and SPECT on their own grid, without resampling: sharp anatomy, weak function beneath it; "
        "bright fluid of the MR keeps little but its outline; for comparison only." + below_average("ddcgan"),
        reproduces="Layers at a fifth of the width, two discriminators, losses. Fused image reduced by 4 x 4 means, "
        "prices, turns of the players and steps are our choice; resolutions other than 1:4 are placed by position.",
        survey_reference="45",
        dims=(2,),
        pairs=("MR-PT", "MR-NM", "CT-PT", "CT-NM"),
        weights=card("ddcgan")["sha256"],
        invention=invention_of("ddcgan"),
        is_symmetric=False,
        takes_native=True,
        identity_psnr=15.0,
        memory_factor=100.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> FittedNetwork:
        """Nothing depends on the input."""
        network = load_network("ddcgan", shipped)
        return FittedNetwork(network, REACH * (sources.shape[1] - 1), FACTOR, pairwise=True)

    def fit_native(
        self, sources: Tensor, spacing: tuple[float, ...], native: Sequence[NativeSlices | None]
    ) -> FittedNative:
        """With functional sources on their own grids."""
        return FittedNative(load_network("ddcgan", shipped), tuple(native))


def _on(network: nn.Module, device: torch.device) -> DDcGAN:
    """The network itself on the CPU, a copy elsewhere: the shared one never moves."""
    if device.type == "cpu":
        return network
    import copy

    return copy.deepcopy(network).to(device)
