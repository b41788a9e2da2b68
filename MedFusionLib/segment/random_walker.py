"""Random walker over several sources at once."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg

from MedFusionLib.errors import UsageError

BETA = 1.0
"""How fast an edge stops the walker; differences are in units of their root mean square."""
_LEAST_CONDUCTANCE = 1e-4
_TOLERANCE = 1e-4
_MOST_ROUNDS = 3000


def walk(values: np.ndarray, lesion: np.ndarray, rest: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probability that a walker from each voxel meets the lesion's seeds before those of the rest.

    The conductance between two neighbours is exp(-beta sum_s w_s d_s^2), with d_s their difference
    in source s over the root mean square of all such differences between undecided neighbours: so
    no source outweighs another by its unit or its range.

    Parameters
    ----------
    values : (S, K, J, I) float array
        The sources.
    lesion, rest : (K, J, I) bool arrays
        Seeds, at least one voxel each; disjoint.
    weights : (S,) array
        How much each source counts.

    Returns
    -------
    (K, J, I) float64 array
        0..1.

    Raises
    ------
    UsageError
        When seeds are missing.

    Notes
    -----
    L. Grady, "Random walks for image segmentation", IEEE Transactions on Pattern Analysis and Machine
    Intelligence 28 (2006) 1768-1783; on several sources as U. Bagci et al., Medical Image Analysis 17
    (2013) 929-945, do for PET, CT and MR.
    """
    if not lesion.any() or not rest.any():
        raise UsageError("A random walk without seeds", "seeds of lesion and of surroundings")
    free = ~(lesion | rest).ravel()
    first, second, conductance = conductances(values, free, weights)
    size = lesion.size
    matrix = sparse.coo_matrix((conductance, (first, second)), shape=(size, size))
    matrix = (matrix + matrix.T).tocsr()
    probability = lesion.ravel().astype(np.float64)
    unknown = np.flatnonzero(free)
    if unknown.size:
        rows = matrix[unknown]
        laplacian = sparse.diags(np.asarray(rows.sum(axis=1)).ravel()) - rows[:, unknown]
        inflow = rows @ probability  # undecided voxels still hold 0
        jacobi = sparse.diags(1 / laplacian.diagonal())
        start = np.full(unknown.size, 0.5)
        solved, _ = cg(laplacian, inflow, x0=start, rtol=_TOLERANCE, M=jacobi, maxiter=_MOST_ROUNDS)
        probability[unknown] = np.clip(solved, 0, 1)
    return probability.reshape(lesion.shape)


def conductances(
    values: np.ndarray, free: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of neighbours (flat indices) of which one is undecided, and how little parts them, 0 to 1.

    Parameters
    ----------
    values : (S, K, J, I) float array
        The sources.
    free : (K * J * I,) bool array
        Undecided voxels.
    weights : (S,) array
        How much each source counts.
    """
    first, second = _neighbours(values.shape[1:])
    touched = free[first] | free[second]
    first, second = first[touched], second[touched]
    return first, second, np.exp(-BETA * _edge_strength(values, first, second, weights)) + _LEAST_CONDUCTANCE


def edge_shares(values: np.ndarray, mask: np.ndarray, zone: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(S,) shares of the sources in the edges that a contour runs along; they sum to 1, or all are 0."""
    first, second = _neighbours(mask.shape)
    flat, undecided = mask.ravel(), zone.ravel()
    used = undecided[first] | undecided[second]
    crossed = (flat[first] != flat[second])[used]
    shares = np.array(
        [
            float(_edge_strength(values[n : n + 1], first[used], second[used], weights[n : n + 1])[crossed].sum())
            for n in range(len(values))
        ]
    )
    return shares / shares.sum() if shares.sum() > 0 else shares


def _neighbours(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of voxels (flat indices) that share a face."""
    numbers = np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)
    pairs = [
        (np.take(numbers, range(n - 1), axis=axis).ravel(), np.take(numbers, range(1, n), axis=axis).ravel())
        for axis, n in enumerate(shape)
    ]
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def _edge_strength(values: np.ndarray, first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sum of squared differences, each source in units of its mean square."""
    total = np.zeros(len(first))
    for source, weight in zip(values.reshape(len(values), -1), weights):
        squares = (source[first].astype(np.float64) - source[second]) ** 2
        mean = squares.mean() if squares.size else 0.0
        if weight > 0 and mean > 0:
            total += weight * squares / mean
    return total
