"""Small networks that weight the sources in every band of a Burt pyramid."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from MedFusionLib.networks.layers import conv
from MedFusionLib.transforms.laplacian import LaplacianPyramid

WIDTH = 16
DETAIL_GAIN = 10.0
"""Brings details to the size of grey values."""


class BandScore(nn.Module):
    """Three convolutions from a band to a score; the last in float32.

    Parameters
    ----------
    gain : float
        Factor for the band.
    """

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain
        self.layers = nn.Sequential(conv(1, WIDTH), nn.ReLU(), conv(WIDTH, WIDTH), nn.ReLU())
        self.last = conv(WIDTH, 1)

    def forward(self, bands: Tensor) -> Tensor:
        """Weights of the sources in a band (N, S, H, W): positive, 1 in sum over the sources."""
        features = self.layers(bands.flatten(0, 1)[:, None] * self.gain)
        with torch.autocast(bands.device.type, enabled=False):
            return torch.softmax(self.last(features.float())[:, 0].unflatten(0, bands.shape[:2]), dim=1)


class PyramidWeights(nn.Module):
    """One network for the details of all levels and one for the base: 5,314 values.

    Parameters
    ----------
    levels : int
        Of the pyramid in training.
    """

    def __init__(self, levels: int = 4) -> None:
        super().__init__()
        self.levels = levels
        self.detail, self.base = BandScore(DETAIL_GAIN), BandScore(1.0)

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of sources (N, S, H, W), sizes a multiple of 2 ** levels; has a slope."""
        bands = LaplacianPyramid(((0, 1),) * self.levels, 2).analyse(sources)
        image = (self.base(bands[-1]) * bands[-1]).sum(dim=1)
        for band in reversed(bands[:-1]):
            image = doubled(doubled(image, -2), -1) + (self.detail(band) * band).sum(dim=1)
        return image


def doubled(image: Tensor, axis: int) -> Tensor:
    """What `transforms.laplacian.double` does for even lengths, with a slope."""
    last = image.shape[axis] - 1
    wide = torch.cat((image.narrow(axis, min(1, last), 1), image, image.narrow(axis, last, 1)), dim=axis)
    left, right = wide.narrow(axis, 0, last + 1), wide.narrow(axis, 2, last + 1)
    even, odd = (left + 6 * image + right) / 8, (image + right) / 2
    return torch.stack((even, odd), dim=axis).flatten(axis - 1, axis)
