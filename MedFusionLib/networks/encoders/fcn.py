"""Fully convolutional network: VGG16 with its fully connected layers as convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from MedFusionLib.networks.encoders.blocks import checked_dims, conv, max_pool, resized, scaled

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
DENSE = (4096, 4096)
_DENSE_SIZE = {2: 7, 3: 3}


class FCNEncoder(nn.Module):
    """Features after every pooling; after the last one also the layers that were fully connected.

    Parameters
    ----------
    inputs : int
        Channels of the image.
    dims : {2, 3}
        Of space; in 3-D the first dense layer looks at 3 samples per axis instead of 7.
    width : float
        All channels times this.
    """

    def __init__(self, inputs: int, dims: int, width: float = 1.0) -> None:
        super().__init__()
        checked_dims(dims)
        stages = [scaled(stage, width) for stage in STAGES]
        dense = scaled(DENSE, width)
        self.shrink = max_pool(dims)
        before = (inputs, *(stage[-1] for stage in stages))
        self.stages = nn.ModuleList(_stage(dims, a, widths) for a, widths in zip(before, stages))
        self.dense = nn.Sequential(
            conv(dims, stages[-1][-1], dense[0], _DENSE_SIZE[dims], bias=True), nn.ReLU(), nn.Dropout(),
            conv(dims, dense[0], dense[1], 1, bias=True), nn.ReLU(), nn.Dropout(),
        )  # fmt: skip
        self.channels = (*(stage[-1] for stage in stages[:-1]), dense[-1])
        self.strides = tuple((2 ** (n + 1),) * dims for n in range(len(stages)))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features, fine to coarse."""
        found = []
        for stage in self.stages:
            images = self.shrink(stage(images))
            found.append(images)
        found[-1] = self.dense(found[-1])
        return found


class FCNDecoder(nn.Module):
    """Scores of the three coarsest scales, each enlarged to the next finer one and added (FCN-8s).

    Parameters
    ----------
    channels : sequence of int
        Of the encoder, fine to coarse.
    dims : {2, 3}
        Of space.
    classes : int
        Channels of the answer.
    """

    def __init__(self, channels: Sequence[int], dims: int, classes: int) -> None:
        super().__init__()
        self.scores = nn.ModuleList(conv(dims, one, classes, 1, bias=True) for one in channels[-3:])
        self.channels = (classes,)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Scores at the finest of the three scales."""
        total = None
        for score, one in zip(reversed(self.scores), reversed(features)):
            own = score(one)
            total = own if total is None else own + resized(total, own.shape[2:])
        return [total]


def _stage(dims: int, inputs: int, widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((inputs, *widths), widths):
        layers += [conv(dims, before, after, bias=True), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def fcn_encoder(inputs: int, dims: int, width: float) -> FCNEncoder:
    """FCN-VGG16.

    Notes
    -----
    J. Long, E. Shelhamer, T. Darrell, CVPR 2015, 3431-3440. Borders are padded by half a window instead of 100 samples.
    """
    return FCNEncoder(inputs, dims, width)
