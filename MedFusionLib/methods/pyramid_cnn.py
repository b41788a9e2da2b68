"""Burt pyramid whose bands a small network weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from MedFusionLib.methods.banded import BandedFusion
from MedFusionLib.methods.base import MethodInfo
from MedFusionLib.methods.standing import below_average
from MedFusionLib.networks.loading import load_network, on_device
from MedFusionLib.networks.pyramid_cnn import PyramidWeights
from MedFusionLib.transforms.laplacian import LaplacianPyramid
from MedFusionLib.transforms.sampling import plan_decimation
from MedFusionLib.weights import card, invention_of


@dataclass(frozen=True, eq=False)
class NetworkWeights:
    """Rule: what one of the two networks says.

    Parameters
    ----------
    network : nn.Module
        Weights (N, S, H, W) of bands (N, S, H, W).
    """

    network: nn.Module

    @property
    def reach(self) -> int:
        """Three convolutions of three samples."""
        return 3

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights in 0..1, shape (N, S, H, W)."""
        return on_device(self.network, bands.device)(bands)


@dataclass(frozen=True)
class PyramidNetworkFusion:
    """Every band of every level is a mixture of the sources, weighted by a network.

    Parameters
    ----------
    levels : int
        Number of pyramid levels.
    """

    levels: int = 4

    info: ClassVar[MethodInfo] = MethodInfo(
        name="pyramid-cnn",
        title="Pyramid with network weights",
        family="transfer learning",
        citation="Reddy et al., brain tumour detection by fusion with a CNN and a pyramid generating kernel, as "
        "cited by "
        "the survey of the field (its number 48); P. J. Burt, IEEE Trans. Commun. 31 (1983) 532-540",
        sentence="A small network mixes the bands of a pyramid: crisp, strong edges; they overshoot the sources "
        "in places." + below_average("pyramid-cnn"),
        reproduces="Weight maps of a small network in a Burt pyramid with the generating kernel (a = 0.375); network, "
        "loss and training are our choice: the paper could not be read in full. Its denoising and its clustering of "
        "tumours are not part of this method.",
        survey_reference="48",
        dims=(2,),
        weights=card("pyramid-cnn")["sha256"],
        invention=invention_of("pyramid-cnn"),
        memory_factor=80.0,
    )

    def fit(self, sources: Tensor, spacing: tuple[float, ...]) -> BandedFusion:
        """Plan the levels for the size and spacing of the slices."""
        plan = plan_decimation(sources.shape[2:], spacing, self.levels)
        network = load_network("pyramid-cnn", PyramidWeights)
        return BandedFusion(LaplacianPyramid(plan, 2), NetworkWeights(network.detail), NetworkWeights(network.base))
