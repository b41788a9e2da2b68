"""Dense U-Nets in two and three dimensions, and the hybrid of both: H-DenseUNet."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.encoders.blocks import batch_norm, checked_dims, conv, max_pool, mean_pool, resized, scaled

STEM, BOTTLENECK = 96, 4
LAST = 64


@dataclass(frozen=True)
class Plan:
    """A dense network: layers per block, and channels that every layer adds."""

    layers: tuple[int, ...]
    growth: int


PLANS = {2: Plan((6, 12, 36, 24), 48), 3: Plan((3, 4, 12, 8), 32)}
"""By dimensions: the encoders of DenseUNet-167 and of DenseUNet-65."""


class DenseLayer(nn.Module):
    """1 x 1 and 3 x 3 convolution, each after normalisation and ReLU; the result joins what was there."""

    def __init__(self, dims: int, inputs: int, growth: int) -> None:
        super().__init__()
        inner = BOTTLENECK * growth
        self.norms = nn.ModuleList((batch_norm(dims, inputs), batch_norm(dims, inner)))
        self.convs = nn.ModuleList((conv(dims, inputs, inner, 1), conv(dims, inner, growth)))

    def forward(self, features: Tensor) -> Tensor:
        """Features with the new ones after them."""
        found = features
        for norm, layer in zip(self.norms, self.convs):
            found = layer(torch.relu(norm(found)))
        return torch.cat((features, found), dim=1)


class Transition(nn.Sequential):
    """Half of the channels, half of the size; in 3-D the slices stay as many as they are."""

    def __init__(self, dims: int, inputs: int) -> None:
        step = 2 if dims == 2 else (1, 2, 2)
        super().__init__(batch_norm(dims, inputs), nn.ReLU(inplace=True), conv(dims, inputs, inputs // 2, 1),
                         mean_pool(dims, step))  # fmt: skip


class DenseEncoder(nn.Module):
    """Features of the first convolution and of every dense block.

    Parameters
    ----------
    inputs : int
        Channels of the image.
    dims : {2, 3}
        Of space; in 3-D only the first two halvings take slices together.
    width : float
        All channels times this.
    """

    def __init__(self, inputs: int, dims: int, width: float = 1.0) -> None:
        super().__init__()
        plan = PLANS[checked_dims(dims)]
        channels, growth = scaled((STEM, plan.growth), width)
        self.first = nn.Sequential(conv(dims, inputs, channels, 7, 2), batch_norm(dims, channels), nn.ReLU())
        self.shrink = max_pool(dims, 3, 2, 1)
        self.blocks, self.transitions = nn.ModuleList(), nn.ModuleList()
        found = [channels]
        for number, count in enumerate(plan.layers):
            self.blocks.append(nn.Sequential(*(DenseLayer(dims, channels + n * growth, growth) for n in range(count))))
            channels += count * growth
            found.append(channels)
            if number + 1 < len(plan.layers):
                self.transitions.append(Transition(dims, channels))
                channels //= 2
        self.last = nn.Sequential(batch_norm(dims, channels), nn.ReLU())
        self.channels = tuple(found)
        self.strides = tuple(_stride(dims, scale) for scale in range(len(found)))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features, fine to coarse."""
        found = [self.first(images)]
        features = self.shrink(found[0])
        for number, block in enumerate(self.blocks):
            found.append(block(features))
            if number < len(self.transitions):
                features = self.transitions[number](found[-1])
        found[-1] = self.last(found[-1])
        return found


def _stride(dims: int, scale: int) -> tuple[int, ...]:
    across = 2 ** (scale + 1)
    return (across,) * 2 if dims == 2 else (min(across, 4), across, across)


class DenseDecoder(nn.Module):
    """Every scale is enlarged, added to the next finer one and convolved; features at the image's own size.

    Parameters
    ----------
    channels : tuple of int
        Of a `DenseEncoder`.
    dims : {2, 3}
        Of space.
    width : float
        Of the last features.
    """

    def __init__(self, channels: tuple[int, ...], dims: int, width: float = 1.0) -> None:
        super().__init__()
        last = scaled((LAST,), width)[0]
        self.channels = (last,)
        self.line = conv(dims, channels[-2], channels[-1], 1, bias=True)
        outputs = (*channels[-3::-1], channels[0], last)
        self.stages = nn.ModuleList(
            nn.Sequential(conv(dims, a, b, bias=True), batch_norm(dims, b), nn.ReLU(inplace=True))
            for a, b in zip((channels[-1], *outputs), outputs)
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Features at twice the size of the finest ones."""
        skips = [self.line(features[-2]), *features[-3::-1]]
        found = features[-1]
        for skip, stage in zip(skips, self.stages):
            found = stage(resized(found, skip.shape[2:]) + skip)
        size = [2 * n for n in found.shape[2:]]
        return [self.stages[-1](resized(found, size))]


class HDenseUNet(nn.Module):
    """2-D features of every slice and 3-D features of the volume, added and fused by two convolutions.

    The 2-D network sees a slice with its two neighbours; the 3-D network sees the volume with the
    scores of the 2-D network.

    Parameters
    ----------
    inputs : int
        Channels of the volume.
    classes : int
        Channels of the answer.
    width : float
        All channels times this.

    Notes
    -----
    X. Li et al., IEEE Transactions on Medical Imaging 37 (2018) 2663-2674. The scale layers that the paper's
    own code has after every normalisation are left out: the normalisation has a scale and an offset already.
    """

    strides = ((4, 32, 32),)

    def __init__(self, inputs: int, classes: int, width: float = 1.0) -> None:
        super().__init__()
        self.plane, self.space = DenseEncoder(3 * inputs, 2, width), DenseEncoder(inputs + classes, 3, width)
        self.plane_up = DenseDecoder(self.plane.channels, 2, width)
        self.space_up = DenseDecoder(self.space.channels, 3, width)
        own = self.plane_up.channels[0]
        self.plane_head, self.fuse = conv(2, own, classes, 1, bias=True), conv(3, own, own, bias=True)
        self.norm, self.head = batch_norm(3, own), conv(3, own, classes, 1, bias=True)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes, D, H, W) of volumes (B, C, D, H, W): D a multiple of 4, H and W of 32."""
        wide = F.pad(images, (0, 0, 0, 0, 1, 1), mode="replicate")
        around = torch.cat([wide[:, :, n : n + images.shape[2]] for n in range(3)], dim=1)
        slices = around.transpose(1, 2).flatten(0, 1)
        planar = self.plane_up(self.plane(slices))[0]
        scores = _volume(self.plane_head(planar), images)
        spatial = self.space_up(self.space(torch.cat((images, scores), dim=1)))[0]
        hybrid = torch.relu(self.norm(self.fuse(spatial + _volume(planar, images))))
        return self.head(hybrid)


def _volume(slices: Tensor, like: Tensor) -> Tensor:
    """(B * D, C, H, W) back to (B, C, D, H, W)."""
    return slices.unflatten(0, (like.shape[0], like.shape[2])).transpose(1, 2)


def dense_encoder(inputs: int, dims: int, width: float) -> DenseEncoder:
    """The encoder of DenseUNet-167 in 2-D, of DenseUNet-65 in 3-D."""
    return DenseEncoder(inputs, dims, width)
