"""Shares of the sources in an image that a network made: what a black box cannot tell by itself.

Definition
----------
In a small window around every sample the fused image F is approximated by a weighted sum of the
sources X_s: the weights minimise the sum over the window of (F - sum_s w_s X_s)^2 plus
epsilon * sum_s (w_s - 1/S)^2. Negative weights count as 0. The part of source s is F * a_s with
a_s = w_s m_s / sum_t w_t m_t, m_s the mean of source s in the window: the parts add up to F exactly.
Equal sources get equal parts. It tells from which source the values come, not how they were made.
"""

from __future__ import annotations

import torch
from torch import Tensor

from MedFusionLib.transforms.filters import box_mean

RADIUS = 3
EPSILON = 1e-3


def attributed_parts(image: Tensor, sources: Tensor) -> Tensor:
    """Parts (N, S, *spatial) that add up to an image (N, *spatial), from its sources (N, S, *spatial)."""
    ndim, count, kind = sources.ndim - 2, sources.shape[1], sources.dtype
    image, sources = image.double(), sources.double()  # windows of a tile add up in another order
    products = sources[:, :, None] * sources[:, None]
    gram = box_mean(products, RADIUS, ndim).movedim((1, 2), (-2, -1))
    right = box_mean(sources * image[:, None], RADIUS, ndim).movedim(1, -1)
    eye = torch.eye(count, device=sources.device, dtype=sources.dtype)
    weights = _solve(gram + EPSILON * eye, right + EPSILON / count)
    strength = weights.clamp_(min=0).movedim(-1, 1) * box_mean(sources, RADIUS, ndim).clamp_(min=0)
    total = strength.sum(dim=1, keepdim=True)
    shares = torch.where(total > EPSILON**2, strength / total.clamp(min=EPSILON**2), 1 / count)
    parts = (shares * image[:, None]).to(kind)
    parts[:, -1] = image.to(kind) - parts[:, :-1].sum(dim=1)
    return parts


def _solve(matrices: Tensor, right: Tensor) -> Tensor:
    """Solutions (..., S) of symmetric positive systems (..., S, S), by elimination."""
    matrices, right = matrices.clone(), right.clone()
    count = right.shape[-1]
    for k in range(count):
        for row in range(k + 1, count):
            factor = matrices[..., row, k] / matrices[..., k, k]
            matrices[..., row, :] -= factor[..., None] * matrices[..., k, :]
            right[..., row] -= factor * right[..., k]
    for k in reversed(range(count)):
        known = (matrices[..., k, k + 1 :] * right[..., k + 1 :]).sum(dim=-1)
        right[..., k] = (right[..., k] - known) / matrices[..., k, k]
    return right
