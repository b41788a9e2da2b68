"""Invention map: values and edges of the fused volume that no source has.

Definition
----------
A value is invented as far as it lies outside the envelope: the interval from the smallest to the
largest value that any source takes within one voxel. An edge is invented as far as the difference
between the neighbours on both sides of a voxel exceeds the largest that any source shows along the
same axis within one voxel; along one axis, or over all axes together (root of the sums of squares).
The map is the largest of the three. Averages, selections and other weights between 0 and
1 that are the same everywhere give 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.threads import one_torch_thread
from MedFusionLib.trust.slabs import as_tensor, box_max, radii_within, slabs

if TYPE_CHECKING:
    from torch import Tensor

SIGNIFICANT = 8 / 255
"""A voxel counts as invented when the map exceeds eight grey levels of 255."""


def invention_map(fused: np.ndarray, sources: np.ndarray, *, slice_axis: int | None = None) -> np.ndarray:
    """How far each fused voxel leaves what its sources show around it.

    Parameters
    ----------
    fused : (K, J, I) float32
        Fusion index.
    sources : (S, K, J, I) float32
        Normalised sources on the same scale.
    slice_axis : int or None
        Array axis that neighbourhoods do not cross (slice-wise fusion).

    Returns
    -------
    (K, J, I) float32
        In fusion index; 0 where nothing is invented.
    """
    out = np.empty(fused.shape, np.float32)
    radii = radii_within(slice_axis)
    with one_torch_thread():
        for slab in slabs(fused.shape, 2 * radii[0]):
            values, known = as_tensor(fused[slab.read]), as_tensor(sources[:, slab.read])
            highest = box_max(known.amax(dim=0), radii)
            lowest = box_max(known.amin(dim=0).neg_(), radii).neg_()
            outside = (values - highest).clamp_(min=0).add_((lowest - values).clamp_(min=0))
            edges = _edges(values, known, radii)
            out[slab.core] = outside.maximum(edges)[slab.inner].numpy()
    return out


def invention_summary(invention: np.ndarray, foreground: np.ndarray) -> dict[str, float]:
    """Numbers for the report: mean, 99th percentile, and share of significant foreground voxels."""
    values = invention[foreground]
    if values.size == 0:
        return {"mean": 0.0, "p99": 0.0, "fraction": 0.0}
    return {
        "mean": float(values.mean(dtype=np.float64)),
        "p99": float(np.percentile(values, 99)),
        "fraction": float((values > SIGNIFICANT).mean()),
    }


def _edges(fused: Tensor, sources: Tensor, radii: tuple[int, int, int]) -> Tensor:
    """How far the edges of the fused values exceed all edges nearby in the sources."""
    import torch

    found, allowed, along = (torch.zeros_like(fused) for _ in range(3))
    for axis, radius in zip((-3, -2, -1), radii):
        length = fused.shape[axis]
        if radius == 0 or length < 3:
            continue
        inner = [slice(None)] * 3
        inner[axis] = slice(1, length - 1)
        mine, largest = torch.zeros_like(fused), torch.zeros_like(fused)
        mine[tuple(inner)] = _across(fused, axis).abs_()
        largest[tuple(inner)] = _across(sources, axis).abs_().amax(dim=0)
        largest = box_max(largest, radii)
        found.addcmul_(mine, mine)
        allowed.addcmul_(largest, largest)
        torch.maximum(along, mine.sub_(largest), out=along)
    return found.sqrt_().sub_(allowed.sqrt_()).maximum(along)


def _across(values: Tensor, axis: int) -> Tensor:
    length = values.shape[axis]
    return values.narrow(axis, 2, length - 2) - values.narrow(axis, 0, length - 2)
