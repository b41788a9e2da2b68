"""Layers that several networks share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size (or divides it by the stride), the border reflected."""
    if size == 1:
        return nn.Conv2d(inputs, outputs, 1, stride, groups=groups)
    return ReflectingConv(inputs, outputs, size, stride, size // 2, groups=groups, padding_mode="reflect")


class ReflectingConv(nn.Conv2d):
    """A convolution with reflected border that copies its input only once in inference mode.

    The padding of torch copies parts of wider features twice, and under autocast converts bfloat16 to float32 and back.
    Training keeps to it, so that recipes give the same bits.
    """

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H, W), or less with a stride."""
        if not torch.is_inference_mode_enabled():
            return super().forward(images)
        return self._inside(reflected(images, self.padding[0]))

    def rectified(self, images: Tensor) -> Tensor:
        """The same of the images without what is negative."""
        if not torch.is_inference_mode_enabled():
            return super().forward(torch.relu_(images))
        return self._inside(reflected(images, self.padding[0], partial(torch.clamp_min, min=0)))

    def _inside(self, images: Tensor) -> Tensor:
        return F.conv2d(images, self.weight, self.bias, self.stride, groups=self.groups)


def reflected(images: Tensor, margin: int, change: Callable[..., Tensor] | None = None) -> Tensor:
    """Images (B, C, H, W), changed sample by sample, with a margin that mirrors them without their first samples."""
    batch, channels, height, width = images.shape
    if min(height, width) <= margin:
        raise ValueError(f"{height} x {width} samples cannot be mirrored {margin} far")
    shape = (batch, channels, height + 2 * margin, width + 2 * margin)
    wide = torch.empty(shape, dtype=images.dtype, device=images.device, memory_format=torch.channels_last)
    inside = wide[:, :, margin:-margin, margin:-margin]
    if change is None:
        inside.copy_(images)
    else:
        change(images, out=inside)
    for far in range(1, margin + 1):
        wide[:, :, margin - far, :] = wide[:, :, margin + far, :]
        wide[:, :, -margin - 1 + far, :] = wide[:, :, -margin - 1 - far, :]
    for far in range(1, margin + 1):
        wide[:, :, :, margin - far] = wide[:, :, :, margin + far]
        wide[:, :, :, -margin - 1 + far] = wide[:, :, :, -margin - 1 - far]
    return wide


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
