"""U-Net in two and three dimensions: contracting path, expanding path, joined at every scale."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from MedFusionLib.networks.encoders.blocks import checked_dims, conv, max_pool, plain_norm, scaled, up_conv

STAGES = {
    2: ((64, 64), (128, 128), (256, 256), (512, 512), (1024, 1024)),
    3: ((32, 64), (64, 128), (128, 256), (256, 512)),
}
"""Channels of the two convolutions of every scale, by dimensions, as in the papers."""


class Stage(nn.Sequential):
    """Convolutions of 3 samples, each with bias, normalisation without values of its own, and ReLU."""

    def __init__(self, dims: int, inputs: int, widths: Sequence[int], norm: str) -> None:
        layers: list[nn.Module] = []
        for before, after in zip((inputs, *widths), widths):
            layers += [conv(dims, before, after, bias=True), plain_norm(dims, after, norm), nn.ReLU(inplace=True)]
        super().__init__(*layers)


class UNetEncoder(nn.Module):
    """The contracting path.

    Parameters
    ----------
    inputs : int
        Channels of the image.
    dims : {2, 3}
        Of space.
    stages : sequence of sequence of int
        Channels of the convolutions of every scale, fine to coarse.
    norm : {"none", "batch", "instance"}
        What follows every convolution.
    """

    def __init__(self, inputs: int, dims: int, stages: Sequence[Sequence[int]], norm: str = "none") -> None:
        super().__init__()
        checked_dims(dims)
        self.channels = tuple(stage[-1] for stage in stages)
        self.strides = tuple((2**scale,) * dims for scale in range(len(stages)))
        before = (inputs, *self.channels)
        self.stages = nn.ModuleList(Stage(dims, a, widths, norm) for a, widths in zip(before, stages))
        self.shrink = max_pool(dims)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features, fine to coarse; every axis of the image a multiple of the coarsest stride."""
        found = [self.stages[0](images)]
        for stage in self.stages[1:]:
            found.append(stage(self.shrink(found[-1])))
        return found


class UNetDecoder(nn.Module):
    """The expanding path: features at every scale but the coarsest, fine to coarse.

    Parameters
    ----------
    channels : sequence of int
        Of the encoder's scales, fine to coarse.
    dims : {2, 3}
        Of space.
    halving : bool
        Whether the transposed convolutions halve the channels (and have a bias), as in 2-D, or keep
        them, as in 3-D.
    norm : {"none", "batch", "instance"}
        What follows every convolution.
    convolutions : int
        Per scale.
    """

    def __init__(
        self, channels: Sequence[int], dims: int, *, halving: bool, norm: str = "none", convolutions: int = 2
    ) -> None:
        super().__init__()
        self.channels = tuple(channels[:-1])
        risen = [own if halving else coarse for own, coarse in itertools.pairwise(channels)]
        self.ups = nn.ModuleList(up_conv(dims, coarse, rise, bias=halving) for coarse, rise in zip(channels[1:], risen))
        self.stages = nn.ModuleList(
            Stage(dims, own + rise, (own,) * convolutions, norm) for own, rise in zip(channels, risen)
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Decoded features, fine to coarse."""
        found = [features[-1]]
        for skip, up, stage in zip(features[-2::-1], reversed(self.ups), reversed(self.stages)):
            found.append(stage(torch.cat((skip, up(found[-1])), dim=1)))
        return found[:0:-1]


def unet_encoder(inputs: int, dims: int, width: float) -> UNetEncoder:
    """The papers' contracting path: in 2-D without normalisation, in 3-D with that of the batch.

    Notes
    -----
    O. Ronneberger et al., MICCAI 2015, LNCS 9351, 234-241; O. Cicek et al., MICCAI 2016, LNCS 9901, 424-432.
    The borders are padded here, so that size stays; the papers crop.
    """
    stages = tuple(scaled(stage, width) for stage in STAGES[checked_dims(dims)])
    return UNetEncoder(inputs, dims, stages, "none" if dims == 2 else "batch")


def unet_decoder(encoder: UNetEncoder, dims: int) -> UNetDecoder:
    """The papers' expanding path: in 2-D the channels are halved on the way up, in 3-D kept."""
    return UNetDecoder(encoder.channels, dims, halving=dims == 2, norm="none" if dims == 2 else "batch")
