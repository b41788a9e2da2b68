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

from MedFusionLib.threads import one_torch_thread
from MedFusionLib.trust.slabs import as_tensor, box_mean, radii_within, slabs

FOREGROUND_LEVEL = 2 / 255
IGNORED_SHARE = 0.05
"""A source with a smaller share where it shows something itself is called ignored."""
_TINY = 1e-6


def foreground_of(sources: np.ndarray) -> np.ndarray:
    """(K, J, I) bool, True where any of the normalised sources (S, K, J, I) is above two grey levels."""
    found = sources[0] > FOREGROUND_LEVEL
    for source in sources[1:]:
        found |= source > FOREGROUND_LEVEL
    return found


def contribution_map(
    parts: np.ndarray, foreground: np.ndarray, *, slice_axis: int | None = None, out: np.ndarray | None = None
) -> np.ndarray:
    """Share of each source in each voxel.

    Parameters
    ----------
    parts : (S, K, J, I) float32
        What came from each source, in fusion index.
    foreground : (K, J, I) bool
        Where shares are defined.
    slice_axis : int or None
        Array axis that is not averaged over (slice-wise fusion); None averages over all three.
    out : (S, K, J, I) float32 or None
        Where the shares go; None makes a new array.

    Returns
    -------
    (S, K, J, I) float32
        Shares in 0..1; sum 1 in the foreground, 0 in the background. Where all parts vanish within
        the foreground, shares are equal.
    """
    shares = np.empty(parts.shape, np.float32) if out is None else out
    radii = radii_within(slice_axis)
    with one_torch_thread():
        for slab in slabs(foreground.shape, radii[0]):
            means = box_mean(as_tensor(parts[:, slab.read]).abs(), radii)[:, slab.inner]
            total = means.sum(dim=0)
            empty = total < _TINY
            means /= total.masked_fill(empty, 1)
            means[:, empty] = 1 / len(parts)
            means *= as_tensor(foreground[slab.core])
            shares[:, slab.core] = means.numpy()
    return shares


def contribution_summary(
    contribution: np.ndarray, sources: np.ndarray, foreground: np.ndarray, labels: np.ndarray | None = None
) -> dict:
    """Mean share of each source in the foreground, where it shows something itself, and per region.

    Parameters
    ----------
    contribution, sources : (S, K, J, I)
        Shares, and the normalised sources.
    foreground : (K, J, I) bool
        Where shares are defined.
    labels : (K, J, I) integers or None
        Lesions, 0 elsewhere.

    Returns
    -------
    dict
        ``mean``, ``where_shown`` (one number per source; 0 for an empty source), ``where_alone`` (per source,
        the shares of all where only that one shows something), ``where_shared`` (where several do),
        ``lesions`` (label to numbers), and ``ignored`` (numbers of the sources that hardly contribute
        where they show something).
    """
    showing = [source > FOREGROUND_LEVEL for source in sources]
    count = sum(one.astype(np.uint8) for one in showing)
    shown = [_mean(share, one) for share, one in zip(contribution, showing)]
    ignored = [n for n, share in enumerate(shown) if showing[n].any() and share < IGNORED_SHARE]
    return {
        "mean": _means(contribution, foreground),
        "where_shown": shown,
        "where_alone": [_means(contribution, one & (count == 1)) for one in showing],
        "where_shared": _means(contribution, count > 1),
        "lesions": {} if labels is None else region_shares(contribution, labels, foreground),
        "ignored": ignored,
    }


def region_shares(contribution: np.ndarray, labels: np.ndarray, foreground: np.ndarray) -> dict[str, list[float]]:
    """Mean share of each source in each region.

    Parameters
    ----------
    contribution : (S, K, J, I)
        Shares.
    labels : (K, J, I) integers
        Regions of any kind, 0 elsewhere.
    foreground : (K, J, I) bool
        Where shares are defined.

    Returns
    -------
    dict
        Label to one number per source, their sum is 1; zeros for a region without foreground.
    """
    found = np.unique(labels[labels > 0])
    return {str(int(label)): _means(contribution, (labels == label) & foreground) for label in found}


def _means(contribution: np.ndarray, where: np.ndarray) -> list[float]:
    return [_mean(share, where) for share in contribution]


def _mean(values: np.ndarray, where: np.ndarray) -> float:
    count = int(where.sum())
    return float(np.sum(values, where=where, dtype=np.float64)) / count if count else 0.0
