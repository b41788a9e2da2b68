"""Layers that several networks share."""

from __future__ import annotations

from torch import nn


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size (or divides it by the stride), the border reflected."""
    mode = "reflect" if size > 1 else "zeros"
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, padding_mode=mode)
