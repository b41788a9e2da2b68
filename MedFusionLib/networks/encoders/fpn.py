"""Feature pyramid network: a ResNet whose coarse features are passed down to the fine ones."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from MedFusionLib.networks.encoders.blocks import conv, resized, scaled
from MedFusionLib.networks.encoders.resnet import PLANS, ResNetEncoder

WIDTH = 256
BACKBONE = "resnet50"


class FPNEncoder(nn.Module):
    """Four scales of equally many channels, P2 to P5.

    Parameters
    ----------
    inputs : int
        Channels of the image.
    dims : {2, 3}
        Of space.
    width : float
        All channels times this.
    """

    def __init__(self, inputs: int, dims: int, width: float = 1.0) -> None:
        super().__init__()
        self.trunk = ResNetEncoder(inputs, dims, PLANS[BACKBONE], width)
        own = scaled((WIDTH,), width)[0]
        self.laterals = nn.ModuleList(conv(dims, one, own, 1, bias=True) for one in self.trunk.channels[1:])
        self.smooth = nn.ModuleList(conv(dims, own, own, bias=True) for _ in self.trunk.channels[1:])
        self.channels = (own,) * len(self.laterals)
        self.strides = self.trunk.strides[1:]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features, fine to coarse."""
        merged: list[Tensor] = []
        for lateral, features in zip(reversed(self.laterals), reversed(self.trunk(images)[1:])):
            own = lateral(features)
            merged.insert(0, own + resized(merged[0], own.shape[2:]) if merged else own)
        return [smooth(one) for smooth, one in zip(self.smooth, merged)]


class FPNDecoder(nn.Module):
    """All scales brought to the finest and added.

    Parameters
    ----------
    channels : sequence of int
        Of the encoder, fine to coarse; all equal.
    dims : {2, 3}
        Of space.
    """

    def __init__(self, channels: Sequence[int], dims: int) -> None:
        super().__init__()
        half = max(2, channels[0] // 2)
        self.heads = nn.ModuleList(
            nn.Sequential(conv(dims, one, half, bias=True), nn.ReLU(inplace=True)) for one in channels
        )
        self.channels = (half,)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """The sum, at the finest scale."""
        found = [head(one) for head, one in zip(self.heads, features)]
        return [sum(resized(one, found[0].shape[2:]) for one in found)]


def fpn_encoder(inputs: int, dims: int, width: float) -> FPNEncoder:
    """FPN on ResNet-50.

    Notes
    -----
    T.-Y. Lin et al., CVPR 2017, 936-944; for segmentation the scales are merged as in A. Kirillov et al., CVPR 2019,
    6392-6401, with one convolution per scale instead of one per doubling.
    """
    return FPNEncoder(inputs, dims, width)
