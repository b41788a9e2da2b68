"""ResNet, ResNeXt and Wide ResNet as encoders, in two and three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.encoders.blocks import batch_norm, checked_dims, conv, max_pool, scaled

EXPANSION = 4


@dataclass(frozen=True)
class Plan:
    """A member of the family.

    Parameters
    ----------
    blocks : tuple of int
        Residual blocks per stage.
    widths : tuple of int
        Channels of the 3 x 3 convolutions per stage.
    stem : {"large", "small"}
        ``large`` halves twice before the first stage (7 x 7 convolution and pooling), ``small`` not at all.
    bottleneck : bool
        1 x 1, 3 x 3, 1 x 1 convolutions with four times the channels outside, instead of two 3 x 3.
    groups : int
        Of the 3 x 3 convolution (cardinality).
    outside : tuple of int
        Channels between blocks; by default those of the convolutions, or four times as many.
    before : bool
        Normalise and activate before every convolution instead of after it.
    """

    blocks: tuple[int, ...]
    widths: tuple[int, ...] = (64, 128, 256, 512)
    stem: str = "large"
    bottleneck: bool = False
    groups: int = 1
    outside: tuple[int, ...] = ()
    before: bool = False

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the stages' features."""
        return self.outside or tuple(EXPANSION * one if self.bottleneck else one for one in self.widths)


def _small(depth: int) -> Plan:
    return Plan(((depth - 2) // 6,) * 3, (16, 32, 64), "small")


def _wide(depth: int, times: int) -> Plan:
    widths = (16 * times, 32 * times, 64 * times)
    return Plan(((depth - 4) // 6,) * 3, widths, "small", before=True)


_WIDTHS = (256, 512, 1024, 2048)
PLANS = {
    "resnet18": Plan((2, 2, 2, 2)),
    "resnet34": Plan((3, 4, 6, 3)),
    "resnet50": Plan((3, 4, 6, 3), bottleneck=True),
    "resnet101": Plan((3, 4, 23, 3), bottleneck=True),
    "resnet20": _small(20),
    "resnet56": _small(56),
    "resnet110": _small(110),
    "resnext50": Plan((3, 4, 6, 3), (128, 256, 512, 1024), bottleneck=True, groups=32, outside=_WIDTHS),
    "resnext101": Plan((3, 4, 23, 3), (128, 256, 512, 1024), bottleneck=True, groups=32, outside=_WIDTHS),
    "wideresnet16-8": _wide(16, 8),
    "wideresnet28-10": _wide(28, 10),
    "wideresnet40-4": _wide(40, 4),
    "wideresnet50-2": Plan((3, 4, 6, 3), (128, 256, 512, 1024), bottleneck=True, outside=_WIDTHS),
}
"""By name; ``wideresnetD-K`` is WRN-D-K, ResNeXt is 32x4d."""


class Shortcut(nn.Module):
    """What passes by a block when its size or its channels change: a convolution of one sample."""

    def __init__(self, dims: int, inputs: int, outputs: int, stride: int, *, normalised: bool) -> None:
        super().__init__()
        self.project = conv(dims, inputs, outputs, 1, stride)
        self.norm = batch_norm(dims, outputs) if normalised else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Features at the new size."""
        return self.norm(self.project(features))


class Padding(nn.Module):
    """The same without values of its own: every second sample, and zeros for the new channels."""

    def __init__(self, dims: int, more: int, stride: int) -> None:
        super().__init__()
        self.every = (slice(None), slice(None), *(slice(None, None, stride),) * dims)
        self.pad = (0,) * (2 * dims) + (0, more)

    def forward(self, features: Tensor) -> Tensor:
        """Features at the new size."""
        return F.pad(features[self.every], self.pad)


class Block(nn.Module):
    """A residual block; the convolutions of 3 samples change the size."""

    def __init__(self, dims: int, inputs: int, width: int, outputs: int, stride: int, plan: Plan) -> None:
        super().__init__()
        sizes = ((inputs, width, 1), (width, width, 3), (width, outputs, 1)) if plan.bottleneck else (
            (inputs, width, 3), (width, outputs, 3))  # fmt: skip
        strided = 1 if plan.bottleneck else 0
        self.convs = nn.ModuleList(
            conv(dims, a, b, size, stride if n == strided else 1, groups=plan.groups if n == 1 else 1)
            for n, (a, b, size) in enumerate(sizes)
        )
        self.norms = nn.ModuleList(batch_norm(dims, a if plan.before else b) for a, b, _ in sizes)
        self.before = plan.before
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride != 1:
            padded = plan.stem == "small" and not plan.before
            self.shortcut = (
                Padding(dims, outputs - inputs, stride) if padded
                else Shortcut(dims, inputs, outputs, stride, normalised=not plan.before)
            )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        """The features and what the convolutions add to them."""
        if self.before:
            return self._activated_before(features)
        found = features
        for number, (layer, norm) in enumerate(zip(self.convs, self.norms), 1):
            found = norm(layer(found))
            if number < len(self.convs):
                found = torch.relu(found)
        return torch.relu(found + self.shortcut(features))

    def _activated_before(self, features: Tensor) -> Tensor:
        start = torch.relu(self.norms[0](features))
        found = self.convs[0](start)
        for layer, norm in zip(self.convs[1:], self.norms[1:]):
            found = layer(torch.relu(norm(found)))
        unchanged = isinstance(self.shortcut, nn.Identity)
        return found + (features if unchanged else self.shortcut(start))


class ResNetEncoder(nn.Module):
    """Features after every stage; with the large stem also those after its convolution.

    Parameters
    ----------
    inputs : int
        Channels of the image.
    dims : {2, 3}
        Of space; in 3-D every 3 x 3 becomes 3 x 3 x 3.
    plan : Plan
        See `PLANS`.
    width : float
        All channels times this.
    """

    def __init__(self, inputs: int, dims: int, plan: Plan, width: float = 1.0) -> None:
        super().__init__()
        checked_dims(dims)
        large = plan.stem == "large"
        stem = scaled((64 if large else 16,), width)[0]
        widths = tuple(max(plan.groups, one - one % plan.groups) for one in scaled(plan.widths, width))
        channels = scaled(plan.channels, width)
        self.first = conv(dims, inputs, stem, 7, 2) if large else conv(dims, inputs, stem)
        self.norm = nn.Identity() if plan.before else batch_norm(dims, stem)
        self.shrink = max_pool(dims, 3, 2, 1) if large else nn.Identity()
        self.stages = nn.ModuleList(
            _stage(dims, (before, inner, after), count, 1 if n == 0 else 2, plan)
            for n, (before, inner, after, count) in enumerate(zip((stem, *channels), widths, channels, plan.blocks))
        )
        self.last = batch_norm(dims, channels[-1]) if plan.before else None
        self.with_stem = large
        self.channels = (stem, *channels) if large else channels
        self.strides = tuple((2 ** (n + large),) * dims for n in range(len(self.channels)))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features, fine to coarse."""
        features = self.first(images)
        if self.last is None:
            features = torch.relu(self.norm(features))
        found = [features] if self.with_stem else []
        features = self.shrink(features)
        for stage in self.stages:
            features = stage(features)
            found.append(features)
        if self.last is not None:
            found[-1] = torch.relu(self.last(found[-1]))
        return found


def _stage(dims: int, channels: Sequence[int], count: int, stride: int, plan: Plan) -> nn.Sequential:
    before, inner, after = channels
    return nn.Sequential(
        *(Block(dims, before if n == 0 else after, inner, after, stride if n == 0 else 1, plan) for n in range(count))
    )


def resnet_encoder(name: str, inputs: int, dims: int, width: float) -> ResNetEncoder:
    """A member of the family by its name, see `PLANS`.

    Notes
    -----
    K. He et al., CVPR 2016, 770-778 (ResNet: for pictures of 1000 classes with 18 to 101 layers, and the small
    ones of 20 to 110 layers with shortcuts without values); S. Xie et al., CVPR 2017, 5987-5995 (ResNeXt);
    S. Zagoruyko, N. Komodakis, BMVC 2016 (Wide ResNet, activation before convolution). The stride lies in the
    3 x 3 convolution, as in the code of the ResNeXt paper.
    """
    return ResNetEncoder(inputs, dims, PLANS[name], width)
