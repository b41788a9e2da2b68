"""Layers that several networks share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size (or divides it by the stride), the border reflected."""
    mode = "reflect" if size > 1 else "zeros"
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, padding_mode=mode)


def at_least(images: Tensor, size: int) -> Tensor:
    """Images (B, C, H, W), the last row and column repeated until both axes have `size` samples."""
    missing = [max(0, size - length) for length in images.shape[-2:]]
    return F.pad(images, (0, missing[1], 0, missing[0]), mode="replicate") if any(missing) else images
