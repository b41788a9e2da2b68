"""Layers in two or three dimensions, and how an encoder promises its features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.errors import NotSupported

NORMS = ("none", "batch", "instance")
_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_UP = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
_MEAN = {2: nn.AvgPool2d, 3: nn.AvgPool3d}
_BATCH = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_INSTANCE = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
_LINEAR = {2: "bilinear", 3: "trilinear"}


class Encoder(Protocol):
    """Features of an image at several scales: what every encoder here is.

    Parameters
    ----------
    channels : tuple of int
        Of every scale, fine to coarse.
    strides : tuple of tuple of int
        Samples of the image per sample of every scale, along each axis.
    """

    channels: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Features (B, C, H, W) or (B, C, D, H, W), fine to coarse."""


def checked_dims(dims: int, allowed: Sequence[int] = (2, 3)) -> int:
    """The number of dimensions itself.

    Raises
    ------
    NotSupported
        When it is not allowed.
    """
    if dims not in allowed:
        raise NotSupported(f"A network of {dims} dimensions", " or ".join(map(str, allowed)))
    return dims


def scaled(widths: Sequence[int], width: float) -> tuple[int, ...]:
    """Numbers of channels times a factor, at least 2."""
    return tuple(max(2, round(one * width)) for one in widths)


def conv(
    dims: int, inputs: int, outputs: int, size: int = 3, stride: int = 1, *, groups: int = 1, bias: bool = False
) -> nn.Module:
    """A convolution that keeps the size, or divides it by the stride."""
    return _CONV[dims](inputs, outputs, size, stride, size // 2, groups=groups, bias=bias)


def up_conv(dims: int, inputs: int, outputs: int, step: int | tuple[int, ...] = 2, *, bias: bool = True) -> nn.Module:
    """A transposed convolution that multiplies the size by its step."""
    return _UP[dims](inputs, outputs, step, step, bias=bias)


def batch_norm(dims: int, channels: int) -> nn.Module:
    """Batch normalisation with scale and offset."""
    return _BATCH[dims](channels)


def plain_norm(dims: int, channels: int, norm: str) -> nn.Module:
    """Normalisation without scale and offset, by the batch or by the image; or none."""
    if norm not in NORMS:
        raise NotSupported(f"The normalisation {norm!r}", "one of " + ", ".join(NORMS))
    if norm == "none":
        return nn.Identity()
    return (_BATCH if norm == "batch" else _INSTANCE)[dims](channels, affine=False)


def max_pool(dims: int, size: int = 2, stride: int | tuple[int, ...] = 2, padding: int = 0) -> nn.Module:
    """Largest value of a window."""
    return _POOL[dims](size, stride, padding)


def mean_pool(dims: int, step: int | tuple[int, ...]) -> nn.Module:
    """Mean of a window."""
    return _MEAN[dims](step, step)


def resized(features: Tensor, size: Sequence[int]) -> Tensor:
    """Features at another size, by linear interpolation."""
    if tuple(features.shape[2:]) == tuple(size):
        return features
    return F.interpolate(features, size=tuple(size), mode=_LINEAR[features.ndim - 2], align_corners=False)
