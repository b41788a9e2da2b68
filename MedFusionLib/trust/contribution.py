"""Contribution map: the share of each source in each fused voxel.

Definition
----------
A fused volume is the sum of its parts, F = sum_s P_s, where P_s is the synthesis of what came from
source s with all other sources set to zero: for methods that weight or select coefficients of an
invertible linear transform, the P_s are exact. The share of source s is |P_s|, averaged over the
neighbours within one voxel, divided by the same of all sources. It is defined in the foreground
(where any source is above two grey levels of 255 within its window) and 0 elsewhere.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

FOREGROUND_LEVEL = 2 / 255
WINDOW = 3
_TINY = 1e-6


def foreground_of(sources: np.ndarray) -> np.ndarray:
    """(K, J, I) bool, True where any of the normalised sources (S, K, J, I) is above two grey levels."""
    return (sources > FOREGROUND_LEVEL).any(axis=0)


def contribution_map(parts: np.ndarray, foreground: np.ndarray, *, slice_axis: int | None = None) -> np.ndarray:
    """Share of each source in each voxel.

    Parameters
    ----------
    parts : (S, K, J, I) float32
        What came from each source, in fusion index.
    foreground : (K, J, I) bool
        Where shares are defined.
    slice_axis : int or None
        Array axis that is not averaged over (slice-wise fusion); None averages over all three.

    Returns
    -------
    (S, K, J, I) float32
        Shares in 0..1; sum 1 in the foreground, 0 in the background. Where all parts vanish within
        the foreground, shares are equal.
    """
    sizes = tuple(1 if axis == slice_axis else WINDOW for axis in range(3))
    shares = np.stack([ndimage.uniform_filter(np.abs(part), sizes, mode="nearest") for part in parts])
    total = shares.sum(axis=0)
    empty = total < _TINY
    shares /= np.where(empty, 1, total)
    shares[:, empty] = 1 / len(parts)
    shares[:, ~foreground] = 0
    return shares
