"""Discriminators of adversarial training: they tell real pictures from fused ones, and are never shipped."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

LEAK = 0.2


class Discriminator(nn.Module):
    """Strided 3 x 3 convolutions and one linear layer: a score per picture.

    Parameters
    ----------
    size : int
        Rows and columns of the pictures that it sees.
    widths : sequence of int
        Channels of the convolutions; all but the first are normalised over the batch.
    padding : int
        0 as in FusionGAN [J. Ma et al., Inf. Fusion 48 (2019) 11-26]: 397,953 values at 120 x 120 samples; 1 as in
        DDcGAN [J. Ma et al., IEEE Trans. Image Process. 29 (2020) 4980-4995].
    spectral : bool
        Whether the largest singular value of every layer is held at 1.
    """

    def __init__(
        self, size: int, widths: Sequence[int] = (32, 64, 128, 256), *, padding: int = 0, spectral: bool = True
    ) -> None:
        super().__init__()
        held = spectral_norm if spectral else (lambda layer: layer)
        layers: list[nn.Module] = []
        for number, (inputs, outputs) in enumerate(pairwise((1, *widths))):
            layers.append(held(nn.Conv2d(inputs, outputs, 3, 2, padding)))
            if number:
                layers.append(nn.BatchNorm2d(outputs))
            layers.append(nn.LeakyReLU(LEAK))
            size = (size + 2 * padding - 3) // 2 + 1
        self.layers = nn.Sequential(*layers)
        self.score = held(nn.Linear(widths[-1] * size * size, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Scores (B,) of images (B, 1, size, size)."""
        return self.score(self.layers(images).flatten(1))[:, 0]


class PatchDiscriminator(nn.Module):
    """A score for every neighbourhood of a picture of any size, averaged [P. Isola et al., CVPR 2017]."""

    def __init__(self, widths: Sequence[int] = (16, 32, 64)) -> None:
        super().__init__()
        self.layers = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairwise((1, *widths)))
        self.score = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Scores (B,) of images (B, 1, H, W)."""
        for layer in self.layers:
            images = F.leaky_relu(layer(images), LEAK)
        return self.score(images).mean(dim=(1, 2, 3))
