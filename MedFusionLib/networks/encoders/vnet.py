"""V-Net: residual stages of large windows, halved and doubled by convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from MedFusionLib.networks.encoders.blocks import checked_dims, conv, scaled, up_conv

WIDTHS = (16, 32, 64, 128, 256)
DOWN_CONVOLUTIONS = (1, 2, 3, 3, 3)
UP_CONVOLUTIONS = (1, 2, 3, 3)
_SIZE = 5


class Residual(nn.Module):
    """Convolutions of 5 samples; what goes in is added to what comes out."""

    def __init__(self, dims: int, inputs: int, width: int, count: int) -> None:
        super().__init__()
        before = (inputs, *(width,) * (count - 1))
        self.convs = nn.ModuleList(conv(dims, one, width, _SIZE, bias=True) for one in before)
        self.acts = nn.ModuleList(nn.PReLU(width) for _ in range(count))

    def forward(self, features: Tensor, passing: Tensor | None = None) -> Tensor:
        """Features after the stage; `passing` is added (by default what goes in)."""
        found = features
        for number, (layer, act) in enumerate(zip(self.convs, self.acts), 1):
            found = layer(found)
            if number == len(self.convs):
                found = found + (features if passing is None else passing)
            found = act(found)
        return found


class VNetEncoder(nn.Module):
    """The left half.

    Parameters
    ----------
    inputs : int
        Channels of the image; they are repeated to pass by the first stage.
    dims : {2, 3}
        Of space; the paper's are 3.
    width : float
        All channels times this.
    """

    def __init__(self, inputs: int, dims: int, width: float = 1.0) -> None:
        super().__init__()
        checked_dims(dims)
        self.channels = scaled(WIDTHS, width)
        self.strides = tuple((2**n,) * dims for n in range(len(WIDTHS)))
        before = (inputs, *self.channels[1:])
        self.stages = nn.ModuleList(
            Residual(dims, a, own, count) for a, own, count in zip(before, self.channels, DOWN_CONVOLUTIONS)
        )
        self.shrink = nn.ModuleList(
            nn.Sequential(_halving(dims, a, b), nn.PReLU(b)) for a, b in zip(self.channels, self.channels[1:])
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features, fine to coarse; every axis of the image a multiple of 16."""
        own = self.channels[0]
        repeated = images.repeat(1, -(-own // images.shape[1]), *(1,) * (images.ndim - 2))[:, :own]
        found = [self.stages[0](images, repeated)]
        for shrink, stage in zip(self.shrink, self.stages[1:]):
            found.append(stage(shrink(found[-1])))
        return found


class VNetDecoder(nn.Module):
    """The right half: as many channels come from below as from the left, and both stay."""

    def __init__(self, channels: tuple[int, ...], dims: int) -> None:
        super().__init__()
        self.channels = tuple(2 * one for one in channels[:-1])
        below = (*self.channels[1:], channels[-1])
        self.grow = nn.ModuleList(
            nn.Sequential(up_conv(dims, a, own), nn.PReLU(own)) for a, own in zip(below, channels)
        )
        self.stages = nn.ModuleList(
            Residual(dims, both, both, count) for both, count in zip(self.channels, UP_CONVOLUTIONS)
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Decoded features, fine to coarse."""
        found = [features[-1]]
        for skip, grow, stage in zip(features[-2::-1], reversed(self.grow), reversed(self.stages)):
            found.append(stage(torch.cat((grow(found[-1]), skip), dim=1)))
        return found[:0:-1]


def _halving(dims: int, inputs: int, outputs: int) -> nn.Module:
    layer = nn.Conv3d if dims == 3 else nn.Conv2d
    return layer(inputs, outputs, 2, 2)


def vnet_encoder(inputs: int, dims: int, width: float) -> VNetEncoder:
    """V-Net.

    Notes
    -----
    F. Milletari, N. Navab, S.-A. Ahmadi, 3DV 2016, 565-571.
    """
    return VNetEncoder(inputs, dims, width)
