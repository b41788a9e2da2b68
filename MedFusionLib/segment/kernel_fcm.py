"""Fuzzy C-means with a Gaussian kernel and a spatial term."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MedFusionLib.errors import UsageError

CLUSTERS = 5
SPATIAL = 2.0
"""How much the mean of the 27 neighbours counts beside the voxel itself."""
_MOST_ROUNDS = 200
_SETTLED = 1e-4
_LEAST = 1e-12
_LEAST_SCALE = 0.01


@dataclass(frozen=True, eq=False)
class Clusters:
    """A fuzzy partition.

    Parameters
    ----------
    memberships : (C, N) float array
        Sum to 1 over the clusters.
    centres : (C, S) float array
        In feature space.
    """

    memberships: np.ndarray
    centres: np.ndarray


def kernel_fuzzy_means(
    features: np.ndarray, inside: np.ndarray, *, clusters: int = CLUSTERS, spatial: float = SPATIAL
) -> Clusters:
    """Partition the voxels inside a region by several sources at once.

    With K(x, v) = exp(-|x - v|^2 / s^2) and fuzziness 2 the objective is
    sum u^2 [(1 - K(x, v)) + a (1 - K(m, v))], m being the mean of the voxel's neighbourhood and s^2 the
    variance of the distances to the mean.

    Parameters
    ----------
    features : (S, K, J, I) array
        The sources, on comparable scales.
    inside : (K, J, I) bool array
        The region.
    clusters : int
        At least 2.
    spatial : float
        a; 0 is the plain kernel method.

    Raises
    ------
    UsageError
        For fewer than two clusters or fewer voxels than clusters, or constant features.

    Notes
    -----
    S. Chen, D. Zhang, "Robust image segmentation using FCM with spatial constraints based on new
    kernel-induced distance measure", IEEE Transactions on Systems, Man, and Cybernetics B 34 (2004)
    1907-1916.
    """
    points = features[:, inside].T.astype(np.float64)
    if clusters < 2 or len(points) < 10 * clusters:
        raise UsageError(f"{clusters} clusters of {len(points)} voxels", "two clusters or more, of ten voxels each")
    around = np.stack(
        [ndimage.uniform_filter(one.astype(np.float64), 3, mode="nearest")[inside] for one in features], 1
    )
    distances = np.linalg.norm(points - points.mean(axis=0), axis=1)
    # two equal levels lie equally far from their mean: the variance alone would vanish
    scale = max(float(distances.var()), _LEAST_SCALE * float((distances**2).mean()))
    if scale <= 0:
        raise UsageError("All voxels of the region are equal", "a region with lesion and surroundings")
    centres = _first_centres(points, clusters)
    memberships = np.zeros((clusters, len(points)))
    for _ in range(_MOST_ROUNDS):
        own, near = _kernel(points, centres, scale), _kernel(around, centres, scale)
        distance = np.maximum((1 - own) + spatial * (1 - near), _LEAST)
        before, memberships = memberships, (1 / distance) / (1 / distance).sum(axis=0)
        if np.abs(memberships - before).max() < _SETTLED:
            break
        squared = memberships**2
        centres = ((squared * own) @ points + spatial * (squared * near) @ around) / (
            (squared * (own + spatial * near)).sum(axis=1, keepdims=True) + _LEAST
        )
    return Clusters(memberships, centres)


def _kernel(points: np.ndarray, centres: np.ndarray, scale: float) -> np.ndarray:
    """(C, N) Gaussian kernel."""
    return np.exp(-np.stack([((points - centre) ** 2).sum(axis=1) for centre in centres]) / scale)


def _first_centres(points: np.ndarray, clusters: int) -> np.ndarray:
    """Means of equal parts along the direction of largest variance: no chance involved."""
    centred = points - points.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(centred @ directions[:, -1], kind="stable")
    return np.stack([points[part].mean(axis=0) for part in np.array_split(order, clusters)])
