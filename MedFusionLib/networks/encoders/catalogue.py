"""All encoders by name, and networks made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.networks.encoders.blocks import Encoder, checked_dims, conv, resized
from MedFusionLib.networks.encoders.dense import DenseDecoder, HDenseUNet, dense_encoder
from MedFusionLib.networks.encoders.fcn import FCNDecoder, fcn_encoder
from MedFusionLib.networks.encoders.fpn import FPNDecoder, fpn_encoder
from MedFusionLib.networks.encoders.resnet import PLANS, resnet_encoder
from MedFusionLib.networks.encoders.unet import Stage, unet_decoder, unet_encoder
from MedFusionLib.networks.encoders.vnet import VNetDecoder, vnet_encoder

ENCODERS: dict[str, Callable[[int, int, float], Encoder]] = {
    "unet": unet_encoder,
    "vnet": vnet_encoder,
    "fcn": fcn_encoder,
    "fpn": fpn_encoder,
    "dense-unet": dense_encoder,
    **{name: partial(resnet_encoder, name) for name in PLANS},
}
"""``ENCODERS[name](inputs, dims, width)``."""
NETWORKS = (*ENCODERS, "h-dense-unet")
WIDEST_CLASSES = 255


@dataclass(frozen=True)
class NetworkSpec:
    """Which network, and for what.

    Parameters
    ----------
    name : str
        Of the encoder, or ``h-dense-unet``; see `NETWORKS`.
    inputs : int
        Channels of the image.
    classes : int
        Channels of the answer.
    dims : {2, 3}
        Of space.
    width : float
        All channels times this; 1 is the paper's size.

    Raises
    ------
    NotSupported
        For a name or a number of dimensions that is not known.
    UsageError
        For sizes that make no network.
    """

    name: str
    inputs: int
    classes: int
    dims: int = 3
    width: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in NETWORKS:
            raise NotSupported(f"The network {self.name!r}", "one of " + ", ".join(NETWORKS))
        checked_dims(self.dims, (3,) if self.name == "h-dense-unet" else (2, 3))
        whole = all(isinstance(n, int) and not isinstance(n, bool) for n in (self.inputs, self.classes))
        if not whole or not (0 < self.inputs <= WIDEST_CLASSES and 0 < self.classes <= WIDEST_CLASSES):
            raise UsageError(f"A network of {self.inputs} inputs and {self.classes} classes", "1 to 255 of each")
        if not 0 < self.width <= 4:
            raise UsageError(f"A network of width {self.width}", "more than 0, at most 4")


def create_encoder(name: str, inputs: int, dims: int = 2, width: float = 1.0) -> Encoder:
    """The encoder of a name: a module with ``channels``, ``strides`` and features from fine to coarse.

    Raises
    ------
    NotSupported
        When there is none.
    """
    if name not in ENCODERS:
        raise NotSupported(f"The encoder {name!r}", "one of " + ", ".join(ENCODERS))
    return ENCODERS[name](inputs, dims, width)


def create_network(spec: NetworkSpec) -> Segmenter:
    """A network that segments: images (B, inputs, ...) of any size to logits (B, classes, ...) of that size."""
    if spec.name == "h-dense-unet":
        whole = HDenseUNet(spec.inputs, spec.classes, spec.width)
        return Segmenter(whole, whole.strides, spec.dims)
    encoder = create_encoder(spec.name, spec.inputs, spec.dims, spec.width)
    decoder = _decoder(spec, encoder)
    return Segmenter(_Joined(encoder, decoder, spec), encoder.strides, spec.dims)


class Segmenter(nn.Module):
    """A network for images of any size: they are padded to what its scales need, and the answer is cut again.

    Parameters
    ----------
    network : nn.Module
        Padded images to logits of their size.
    strides : sequence of tuple of int
        Of its scales.
    dims : {2, 3}
        Of space.
    """

    def __init__(self, network: nn.Module, strides: Sequence[tuple[int, ...]], dims: int) -> None:
        super().__init__()
        self.network = network
        self.multiple = tuple(max(stride[axis] for stride in strides) for axis in range(dims))

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        missing = [-length % step for length, step in zip(images.shape[2:], self.multiple)]
        padding = [side for extra in reversed(missing) for side in (0, extra)]
        padded = F.pad(images, padding, mode="replicate") if any(missing) else images
        return self.network(padded)[(..., *(slice(0, length) for length in images.shape[2:]))]


class _Joined(nn.Module):
    """Encoder, decoder, and a head on the finest decoded features."""

    def __init__(self, encoder: Encoder, decoder: nn.Module, spec: NetworkSpec) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        is_scored = isinstance(decoder, FCNDecoder)
        self.head = nn.Identity() if is_scored else conv(spec.dims, decoder.channels[0], spec.classes, 1, bias=True)

    def forward(self, images: Tensor) -> Tensor:
        return resized(self.head(self.decoder(self.encoder(images))[0]), images.shape[2:])


class PlainDecoder(nn.Module):
    """For encoders whose papers have no decoder: enlarge, join with the finer scale, convolve once.

    Parameters
    ----------
    channels : sequence of int
        Of the encoder, fine to coarse.
    dims : {2, 3}
        Of space.
    """

    def __init__(self, channels: Sequence[int], dims: int) -> None:
        super().__init__()
        self.channels = tuple(max(2, one // 2) for one in channels[:-1])
        below = (*self.channels[1:], channels[-1])
        self.stages = nn.ModuleList(
            Stage(dims, own + coarse, (half,), "instance") for own, coarse, half in zip(channels, below, self.channels)
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Decoded features, fine to coarse."""
        found = [features[-1]]
        for skip, stage in zip(features[-2::-1], reversed(self.stages)):
            found.append(stage(torch.cat((skip, resized(found[-1], skip.shape[2:])), dim=1)))
        return found[:0:-1]


def _decoder(spec: NetworkSpec, encoder: Encoder) -> nn.Module:
    if spec.name == "unet":
        return unet_decoder(encoder, spec.dims)
    own = {
        "vnet": lambda: VNetDecoder(encoder.channels, spec.dims),
        "fcn": lambda: FCNDecoder(encoder.channels, spec.dims, spec.classes),
        "fpn": lambda: FPNDecoder(encoder.channels, spec.dims),
        "dense-unet": lambda: DenseDecoder(encoder.channels, spec.dims, spec.width),
    }
    return own[spec.name]() if spec.name in own else PlainDecoder(encoder.channels, spec.dims)
