"""Denoising by (fractional-order) total generalised variation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from MedFusionLib.interrupt import checkpoint

MEMORY = 12
"""Samples that a fractional derivative looks back."""
MEDIAN_PER_SIGMA = 0.6744897501960817


@dataclass(frozen=True)
class TotalGeneralisedVariation:
    """Minimise ``fidelity / 2 |u - f|^2 + |D u - w|_1 + 2 |E w|_1`` over u and w.

    D is the derivative of order `order` (Gruenwald-Letnikov), E the symmetrised derivative made from
    its transpose; order 1 is the classic second-order total generalised variation. Edges stay, slopes
    do not turn into stairs, and orders above 1 keep more texture.

    Parameters
    ----------
    fidelity : float
        Weight of the data: the larger, the closer to the noisy image.
    order : float
        Order of the derivative, 1 to 2.
    steps : int
        Steps of the primal-dual algorithm.

    Notes
    -----
    K. Bredies, K. Kunisch, T. Pock, "Total generalized variation", SIAM J. Imaging Sci. 3 (2010)
    492-526; A. Chambolle, T. Pock, J. Math. Imaging Vis. 40 (2011) 120-145; fractional order in
    fusion: S. Goyal, V. Singh, A. Rani, N. Yadav, "Multimodal image fusion and denoising in NSCT domain
    using CNN and FOTGV", Biomed. Signal Process. Control 71 (2022) 103214.
    """

    fidelity: float
    order: float = 1.2
    steps: int = 120

    def denoise(self, image: Tensor, spacing: Sequence[float]) -> Tensor:
        """The denoised image (..., *spatial), whose samples lie `spacing` apart along its spatial axes."""
        ndim, grid = len(spacing), _Grid(image, spacing, self.order)
        step = grid.step_size
        u, w = image.clone(), [torch.zeros_like(image) for _ in range(ndim)]
        p = [torch.zeros_like(image) for _ in range(ndim)]
        q = [[torch.zeros_like(image) for _ in range(ndim)] for _ in range(ndim)]
        u_bar, w_bar = u, w
        for _ in range(self.steps):
            checkpoint()
            slopes = [grid.derive(u_bar, axis) for axis in range(ndim)]
            p = _inside_ball([p[a] + step * (slopes[a] - w_bar[a]) for a in range(ndim)], 1.0)
            q = _update_symmetric(q, w_bar, grid, step)
            pull = sum(grid.derive_back(p[axis], axis) for axis in range(ndim))
            new_u = (u - step * pull + step * self.fidelity * image) / (1 + step * self.fidelity)
            new_w = [w[a] + step * (p[a] - _symmetric_back(q, a, grid)) for a in range(ndim)]
            u_bar, w_bar = 2 * new_u - u, [2 * new - old for new, old in zip(new_w, w)]
            u, w = new_u, new_w
        return u


def noise_level(image: Tensor, ndim: int) -> Tensor:
    """Standard deviation of Gaussian noise in an image (..., *spatial), shape (...).

    From the median modulus of the finest diagonal Haar coefficients that are not exactly 0 (empty
    background has no noise and says nothing about it).

    Notes
    -----
    D. L. Donoho, I. M. Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81
    (1994) 425-455.
    """
    detail = image
    for axis in range(-ndim, 0):
        pairs = image.shape[axis] // 2
        if pairs:
            even = detail.index_select(axis, torch.arange(0, 2 * pairs, 2, device=image.device))
            odd = detail.index_select(axis, torch.arange(1, 2 * pairs, 2, device=image.device))
            detail = (even - odd) * 0.5**0.5
    flat = detail.abs().flatten(-ndim)
    known = torch.where(flat > 0, flat, torch.full_like(flat, torch.nan))
    return torch.nan_to_num(known.nanmedian(dim=-1).values) / MEDIAN_PER_SIGMA


class _Grid:
    """Derivatives along every axis per finest sample distance, as small matrices."""

    def __init__(self, image: Tensor, spacing: Sequence[float], order: float) -> None:
        ndim, finest = len(spacing), min(spacing)
        lengths = image.shape[-ndim:]
        matrices = [derivative_matrix(n, order) * (finest / step) ** order for n, step in zip(lengths, spacing)]
        largest = max(np.abs(matrix).sum(axis=1).max() for matrix in matrices)
        self.step_size = float((2 * ndim * largest**2 + 1) ** -0.5)
        """Both step sizes of the algorithm: their product times the squared norm of the operator is at most 1."""
        self.matrices = [torch.from_numpy(matrix).to(image.device, image.dtype) for matrix in matrices]
        self.ndim = ndim

    def derive(self, image: Tensor, axis: int) -> Tensor:
        return _apply(self.matrices[axis], image, axis - self.ndim)

    def derive_back(self, image: Tensor, axis: int) -> Tensor:
        return _apply(self.matrices[axis].T, image, axis - self.ndim)


def derivative_matrix(length: int, order: float) -> np.ndarray:
    """(length, length) float64 matrix of the Gruenwald-Letnikov derivative; the first sample is repeated before it."""
    matrix, coefficient = np.zeros((length, length)), 1.0
    rows = np.arange(length)
    for back in range(MEMORY):
        np.add.at(matrix, (rows, np.maximum(rows - back, 0)), coefficient)
        coefficient *= 1 - (order + 1) / (back + 1)
    return matrix - np.diag(matrix.sum(axis=1))  # a constant has no derivative, however short the memory


def _apply(matrix: Tensor, image: Tensor, axis: int) -> Tensor:
    if axis == -1:
        return image @ matrix.T
    return (matrix @ image.movedim(axis, -2)).movedim(-2, axis)


def _inside_ball(fields: list[Tensor], radius: float) -> list[Tensor]:
    norm = torch.sqrt(sum(field * field for field in fields)).div_(radius).clamp_(min=1)
    return [field / norm for field in fields]


def _update_symmetric(q: list, w: list[Tensor], grid: _Grid, step: float) -> list:
    """Next dual variable of the symmetrised derivative of w, inside its ball."""
    ndim = len(w)
    raised = [[q[a][b] + step * _symmetric(w, a, b, grid) for b in range(ndim)] for a in range(ndim)]
    flat = _inside_ball([entry for row in raised for entry in row], 2.0)
    return [flat[a * ndim : (a + 1) * ndim] for a in range(ndim)]


def _symmetric(w: list[Tensor], a: int, b: int, grid: _Grid) -> Tensor:
    """Entry of the symmetrised derivative; the transposed matrix with a minus derives forwards."""
    return -(grid.derive_back(w[a], b) + grid.derive_back(w[b], a)) / 2


def _symmetric_back(q: list, a: int, grid: _Grid) -> Tensor:
    """Component of the transpose of the symmetrised derivative."""
    return -sum(grid.derive((q[a][b] + q[b][a]) / 2, b) for b in range(len(q)))
