"""Weights from what catches the eye, refined by the guided filter."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from MedFusionLib.methods.rules.activity import TINY
from MedFusionLib.methods.rules.base import share_between_winners
from MedFusionLib.transforms.filters import gaussian, shifted
from MedFusionLib.transforms.smoothing import guided_filter

SALIENCY_SIGMA = 5


@dataclass(frozen=True)
class GuidedSaliency:
    """Choose the most salient source, then let the weights follow the edges of the sources.

    Saliency is the modulus of the Laplacian, averaged by a Gaussian of 11 samples. The decision of
    every source is smoothed by a guided filter with the source itself as guide.

    Parameters
    ----------
    radius : int or one per axis
        Half size of the guided filter's window in samples.
    epsilon : float
        Its regularisation, in squared units of the source.

    Notes
    -----
    S. Li, X. Kang, J. Hu, "Image fusion with guided filtering", IEEE Trans. Image Process. 22 (2013)
    2864-2875.
    """

    radius: int | tuple[int, ...] = 7
    epsilon: float = 1e-6

    @property
    def reach(self) -> int:
        """Two windows of the guided filter, the Gaussian and the Laplacian."""
        widest = self.radius if isinstance(self.radius, int) else max(self.radius)
        return 2 * widest + SALIENCY_SIGMA + 1

    def __call__(self, bands: Tensor, ndim: int) -> Tensor:
        """Weights in 0..1, shape (N, S, *spatial)."""
        winners = share_between_winners(saliency(bands, ndim))
        weights = guided_filter(winners, bands, self.radius, self.epsilon, ndim).clamp_(0, 1).add_(TINY)
        return weights.div_(weights.sum(dim=1, keepdim=True))


def saliency(image: Tensor, ndim: int) -> Tensor:
    """Modulus of the Laplacian of an image (..., *spatial), averaged by a Gaussian of 11 samples."""
    laplacian = image * (-2 * ndim)
    for axis in range(-ndim, 0):
        laplacian += shifted(image, axis, 1)
        laplacian += shifted(image, axis, -1)
    return gaussian(laplacian.abs_(), SALIENCY_SIGMA, ndim, radius=SALIENCY_SIGMA)
