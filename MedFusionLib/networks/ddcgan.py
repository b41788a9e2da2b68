"""DDcGAN: a generator for an anatomical picture and a functional one of a quarter of its resolution."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.layers import conv

FACTOR = 4
"""Samples of the anatomical picture per sample of the functional one that the network was made for."""
WIDTH, SHIPPED = 48, 9
CENTRE = (FACTOR - 1) / 2


@dataclass(frozen=True)
class Placement:
    """Where the samples of a picture lie in another one.

    Parameters
    ----------
    rows, columns : tuple of float
        Scale and offset: sample of the functional picture = scale * sample of the anatomical one + offset.
    """

    rows: tuple[float, float] = (1 / FACTOR, -CENTRE / FACTOR)
    columns: tuple[float, float] = (1 / FACTOR, -CENTRE / FACTOR)


class DDcGAN(nn.Module):
    """Generator of DDcGAN [J. Ma et al., IEEE Trans. Image Process. 29 (2020) 4980-4995].

    The functional picture is enlarged four times by a learned transposed convolution, so that it is
    never resampled before the network sees it. About 1.10 million values at full width.

    Parameters
    ----------
    width : int
        Channels of the first and of every dense layer.
    """

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.keep = conv(1, 1)
        self.enlarge = nn.ConvTranspose2d(1, 1, 2 * FACTOR, FACTOR, FACTOR // 2)
        _start_linear(self.enlarge)
        self.encoder = nn.ModuleList(conv(max(2, width * n), width) for n in range(5))
        self.encoder_scales = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(5))
        dense, self.twice = 5 * width, conv(5 * width, 5 * width)
        channels = (dense, 8 * width // 3, 4 * width // 3, 2 * width // 3)
        self.decoder = nn.ModuleList(conv(a, b) for a, b in pairwise(channels))
        self.decoder_scales = nn.ModuleList(nn.BatchNorm2d(channel) for channel in channels)
        self.last = conv(channels[-1], 1)

    def forward(self, sources: Tensor) -> Tensor:
        """Fused image (N, H, W) of sources (N, 2, H, W) on one grid; the second one is averaged over 4 x 4 samples."""
        return self.fuse_native(sources[:, :1], reduced(sources[:, 1:]), Placement())

    def fuse_native(self, anatomical: Tensor, functional: Tensor, placement: Placement) -> Tensor:
        """Fused image (N, H, W) of pictures (N, 1, H, W) and (N, 1, h, w) in 0..1, each on its own grid."""
        large = self.enlarge(F.pad(functional, (1, 1, 1, 1), mode="replicate"))
        features = torch.cat((self.keep(anatomical), _placed(large, functional, placement, anatomical)), dim=1)
        found: list[Tensor] = []
        for layer, scale in zip(self.encoder, self.encoder_scales):
            found.append(torch.relu(scale(layer(torch.cat(found, dim=1) if found else features))))
        features = torch.cat(found, dim=1)
        for _ in range(2):  # as in the released network, with the same values
            features = torch.relu(self.decoder_scales[0](self.twice(features)))
        for layer, scale in zip(self.decoder, list(self.decoder_scales)[1:]):
            features = torch.relu(scale(layer(features)))
        with torch.autocast(features.device.type, enabled=False):
            return (torch.tanh(self.last(features.float())) / 2 + 0.5)[:, 0]


def shipped() -> DDcGAN:
    """The width that is trained and comes with MedFusion."""
    return DDcGAN(SHIPPED)


def reduced(images: Tensor) -> Tensor:
    """Images (N, C, H, W) averaged over 4 x 4 samples; the last row and column are repeated to a full block."""
    missing = [-length % FACTOR for length in images.shape[-2:]]
    return F.avg_pool2d(F.pad(images, (0, missing[1], 0, missing[0]), mode="replicate"), FACTOR)


def _start_linear(layer: nn.ConvTranspose2d) -> None:
    """Begin with linear interpolation."""
    taps = 1 - (torch.arange(2 * FACTOR) - FACTOR + 0.5).abs() / FACTOR
    with torch.no_grad():
        layer.weight.copy_((taps[:, None] * taps)[None, None])
        layer.bias.zero_()


def _placed(large: Tensor, functional: Tensor, placement: Placement, anatomical: Tensor) -> Tensor:
    """The enlarged picture, which has a border of one functional sample, on the anatomical grid; black outside it."""
    height, width = anatomical.shape[-2:]
    is_covered = all(FACTOR * own >= length for own, length in zip(functional.shape[-2:], (height, width)))
    if placement == Placement() and is_covered:
        return large[..., FACTOR : FACTOR + height, FACTOR : FACTOR + width]
    grids, inside = [], []
    for length, own, full, (scale, offset) in zip(
        (height, width), functional.shape[-2:], large.shape[-2:], (placement.rows, placement.columns)
    ):
        position = scale * torch.arange(length, device=large.device, dtype=torch.float64) + offset
        inside.append((position >= -0.5) & (position <= own - 0.5))
        fine = FACTOR * (position + 1) + CENTRE
        grids.append((2 * (fine + 0.5) / full - 1).to(large.dtype))
    grid = torch.stack((grids[1].expand(height, -1), grids[0][:, None].expand(-1, width)), dim=-1)
    placed = F.grid_sample(large, grid.expand(len(large), -1, -1, -1), padding_mode="border", align_corners=False)
    return placed * (inside[0][:, None] & inside[1])
