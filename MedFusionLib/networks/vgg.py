"""VGG16, blocks 1 to 3: features of photographs, for fusion and for losses."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.layers import conv

MEAN = (103.939, 116.779, 123.68)
"""Means of blue, green and red that the network was trained with."""
CHANNELS_AT_ONCE = 16
WIDTHS = ((64, 64), (128, 128), (256, 256, 256))


class VGG16(nn.Module):
    """Seven convolutions in three blocks [K. Simonyan, A. Zisserman, ICLR 2015]: 1,735,488 values.

    Borders are reflected where the original pads zeros, so that they are no edges.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blocks, inputs = nn.ModuleList(), 3
        for widths in WIDTHS:
            block = nn.ModuleList()
            for width in widths:
                block.append(conv(inputs, width))
                inputs = width
            self.blocks.append(block)

    def forward(self, colour: Tensor) -> list[Tensor]:
        """Features after the last ReLU of every block, of (B, 3, H, W): blue, green, red in 0..255 less `MEAN`."""
        found = []
        for number, block in enumerate(self.blocks):
            features = found[-1] if found else colour
            features = F.max_pool2d(features, 2) if number else features
            for layer in block:
                features = torch.relu(layer(features))
            found.append(features)
        return found

    def of_grey(self, image: Tensor) -> list[Tensor]:
        """The same of a grey image (B, 1, H, W) in 0..1, prepared as the network was trained."""
        return self(image * 255 - image.new_tensor(MEAN).reshape(1, 3, 1, 1))


def first_activity(network: VGG16, images: Tensor) -> Tensor:
    """Sum over the channels of the first ReLU (B, H, W) of grey images (B, H, W), times 255, the mean left in.

    The three channels are alike, so that the kernels are added first; without the means black is a
    place of little activity, with them it would be the strongest. Only some channels of one image
    are held at once.
    """
    first = network.blocks[0][0]
    kernel = first.weight.sum(dim=1, keepdim=True).to(images.device)
    bias, total = first.bias.to(images.device), torch.zeros_like(images, dtype=torch.float32)
    wide = F.pad(images[:, None] * 255, (1, 1, 1, 1), mode="replicate")
    for image, sums in zip(wide, total):
        for some, offset in zip(kernel.split(CHANNELS_AT_ONCE), bias.split(CHANNELS_AT_ONCE)):
            sums += F.conv2d(image[None], some, offset)[0].relu_().sum(dim=0, dtype=torch.float32)
    return total
