"""A small 3-D U-Net that outlines a marked lesion in any number of sources at once. Experimental."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.networks.encoders.blocks import conv
from MedFusionLib.networks.encoders.unet import UNetDecoder, UNetEncoder

WIDTHS = (8, 16, 32, 64)
MARKS = 3
"""Channels beside the source: where the lesion may be, the click, and whether the source shows function."""
MULTIPLE = 2 ** (len(WIDTHS) - 1)


class LesionNet(nn.Module):
    """Every source passes the same encoder; at every scale mean and maximum over the sources are decoded.

    So the order of the sources does not matter, nor their number. Instance normalisation; one head
    per scale for training (deep supervision), of which the finest counts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = UNetEncoder(1 + MARKS, 3, [(width, width) for width in WIDTHS], "instance")
        self.joints = nn.ModuleList(conv(3, 2 * width, width, 1, bias=True) for width in WIDTHS)
        self.decoder = UNetDecoder(WIDTHS, 3, halving=True, norm="instance")
        self.heads = nn.ModuleList(conv(3, width, 1, 1, bias=True) for width in self.decoder.channels)

    def forward(self, sources: Tensor, marks: Tensor) -> Tensor:
        """Logits (B, D, H, W) of the lesion.

        Parameters
        ----------
        sources : (B, S, D, H, W) tensor
            In 0..1, see `segment.learned.prepared`.
        marks : (B, S, 3, D, H, W) tensor
            The three channels beside every source.
        """
        return self.at_every_scale(sources, marks)[0]

    def at_every_scale(self, sources: Tensor, marks: Tensor) -> list[Tensor]:
        """Logits, fine to coarse; the finest of the size of the sources."""
        size = sources.shape[2:]
        stacked = _padded(torch.cat((sources.flatten(0, 1)[:, None], marks.flatten(0, 1)), dim=1))
        joined = []
        for joint, features in zip(self.joints, self.encoder(stacked)):
            apart = features.unflatten(0, sources.shape[:2])
            joined.append(joint(torch.cat((apart.mean(dim=1), apart.amax(dim=1)), dim=1)))
        found = [head(one)[:, 0] for head, one in zip(self.heads, self.decoder(joined))]
        return [found[0][:, : size[0], : size[1], : size[2]], *found[1:]]


def _padded(stacked: Tensor) -> Tensor:
    missing = [-length % MULTIPLE for length in stacked.shape[2:]]
    if any(missing):
        stacked = F.pad(stacked, (0, missing[2], 0, missing[1], 0, missing[0]), mode="replicate")
    return stacked.contiguous(memory_format=torch.channels_last_3d)  # half the time of the other order
