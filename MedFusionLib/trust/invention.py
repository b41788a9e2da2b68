"""Invention map: structure of the fused volume that no source has."""

from __future__ import annotations

import numpy as np

from MedFusionLib.threads import one_torch_thread

SIGNIFICANT = 8 / 255
"""A voxel counts as invented when it leaves the envelope by more than eight grey levels of 255."""
_SLAB_VOXELS = 1 << 21


def invention_map(fused: np.ndarray, sources: np.ndarray, *, slice_axis: int | None = None) -> np.ndarray:
    """How far each fused voxel lies outside the local envelope of all sources.

    The envelope reaches from the smallest to the largest value that any source takes within one
    voxel (3 x 3 x 3, or 3 x 3 within the slice). Inside it the map is 0.

    Parameters
    ----------
    fused : (K, J, I) float32
        Fusion index.
    sources : (S, K, J, I) float32
        Normalised sources on the same scale.
    slice_axis : int or None
        Array axis that the neighbourhood does not cross (slice-wise fusion).

    Returns
    -------
    (K, J, I) float32
        Distance to the envelope, in fusion index.
    """
    out = np.empty(fused.shape, np.float32)
    depth = fused.shape[0]
    rows = max(1, _SLAB_VOXELS // max(1, int(np.prod(fused.shape[1:]))))
    for start in range(0, depth, rows):
        stop = min(start + rows, depth)
        low, high = max(start - 1, 0), min(stop + 1, depth)
        lowest, highest = _envelope(sources[:, low:high], slice_axis)
        inner = slice(start - low, stop - low)
        values = fused[start:stop]
        above = np.maximum(values - highest[inner], 0)
        out[start:stop] = above + np.maximum(lowest[inner] - values, 0)
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


def _envelope(sources: np.ndarray, slice_axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    import torch
    from torch.nn.functional import max_pool3d

    size = tuple(1 if axis == slice_axis else 3 for axis in range(3))
    margin = tuple(n // 2 for n in size)
    highest = torch.from_numpy(sources.max(axis=0))[None]
    lowest = torch.from_numpy(-sources.min(axis=0))[None]
    with one_torch_thread():
        high = max_pool3d(highest, size, stride=1, padding=margin)[0]
        low = max_pool3d(lowest, size, stride=1, padding=margin)[0].neg_()
    return low.numpy(), high.numpy()
