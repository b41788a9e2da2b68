"""Layers that several networks share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
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


def grown(
    image: Tensor, first: nn.Module, layers: Sequence[nn.Module], activation: Callable[[Tensor], Tensor]
) -> Tensor:
    """Features of densely connected layers, (B, C * (1 + layers), H, W): every layer sees those of all before it."""
    start = activation(first(image))
    if torch.is_grad_enabled():
        for layer in layers:
            start = torch.cat((start, activation(layer(start))), dim=1)
        return start
    # joining again and again would take a quarter of the time: here every layer writes into its place
    batch, width, *size = start.shape
    shape = (batch, width * (1 + len(layers)), *size)
    features = torch.empty(shape, dtype=start.dtype, device=start.device, memory_format=torch.channels_last)
    features[:, :width] = start
    for number, layer in enumerate(layers, 1):
        features[:, number * width : (number + 1) * width] = activation(layer(features[:, : number * width]))
    return features
