"""Graph cut over several sources at once: the exact minimum of what values and edges say."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from MedFusionLib.errors import UsageError
from MedFusionLib.region import Region
from MedFusionLib.segment.consistency import Trust, trust_sources
from MedFusionLib.segment.cosegment import BAND_VOXELS, Cosegmentation, band_seeds, evidence_of, notes_of
from MedFusionLib.segment.driver import coarse_outline, with_cold_parts
from MedFusionLib.segment.morphology import fill_holes, keep_islands
from MedFusionLib.segment.random_walker import conductances, edge_shares
from MedFusionLib.segment.stack import Stack

SMOOTHNESS = 1.0
"""Price of a voxel face without any edge, beside a value that is e times likelier on one side."""
CUT_BANDS = 2.0
"""The cut is looked for twice as far from the leading source's outline as a random walk: values guide it too."""
_BINS = 32
_LEAST_SHARE = 1e-3
_SURROUNDINGS_MM = 15.0
_UNIT = 10_000
"""Capacities are whole numbers: ten thousandths."""


def by_graph_cut(stack: Stack, *, region: Region | None = None, seed=None) -> Cosegmentation:
    """The leading source's outline, replaced by the cheapest cut through values and edges of all sources.

    How likely a value is in the lesion and in its surroundings is counted in the leading source's
    outline and in the 15 mm around it, source by source; log likelihoods add up, weighted by how well
    the sources line up. Faces between voxels cost the less the more the sources differ across them.

    Raises
    ------
    UsageError
        See `driver.coarse_outline`.

    Notes
    -----
    Y. Boykov, M.-P. Jolly, ICCV 2001, 105-112; for PET and CT together Q. Song et al., IEEE Transactions on
    Medical Imaging 32 (2013) 1685-1697. That paper lets every source have a contour of its own and pays for
    differences; here there is one contour.
    """
    coarse = coarse_outline(stack, region=region, seed=seed)
    band = BAND_VOXELS * coarse.resolution_mm
    trusts = trust_sources(stack, tolerance_mm=band)
    weights = np.array([trust.weight for trust in trusts])
    lesion, rest = band_seeds(stack, coarse.mask, CUT_BANDS * band)
    mask = cheapest_cut(stack.values, likelihood_ratio(stack, coarse.mask, trusts), lesion, rest, weights)
    mask = fill_holes(keep_islands(mask, stack.geometry, most=1))
    if stack.sources[coarse.driver].is_functional:  # a cold part looks like its surroundings
        mask = with_cold_parts(stack, mask)
    shares = edge_shares(stack.values, mask, ~lesion & ~rest, weights)
    evidence = {**evidence_of(stack, coarse, trusts, shares), "band_mm": CUT_BANDS * band}
    return Cosegmentation(mask.astype(np.float32), evidence, notes_of(stack, coarse, trusts, shares))


def likelihood_ratio(stack: Stack, mask: np.ndarray, trusts: tuple[Trust, ...]) -> np.ndarray:
    """(K, J, I) natural logarithm of how much likelier the values are in the lesion than around it: mean of sources."""
    away = ndimage.distance_transform_edt(~mask) * stack.spacing_mm
    around = (away > 0) & (away <= _SURROUNDINGS_MM)
    total = np.zeros(mask.shape)
    for values, trust in zip(stack.values, trusts):
        total += trust.weight * _log_ratio(values, mask, around)
    return total / max(sum(trust.weight for trust in trusts), 1e-30)


def _log_ratio(values: np.ndarray, mask: np.ndarray, around: np.ndarray) -> np.ndarray:
    edges = np.quantile(values[mask | around], np.linspace(0, 1, _BINS + 1)[1:-1])
    codes = np.searchsorted(edges, values)
    shares = []
    for part in (mask, around):
        counts = ndimage.gaussian_filter1d(np.bincount(codes[part], minlength=_BINS).astype(float), 1.0, mode="nearest")
        shares.append(counts / max(counts.sum(), 1.0) + _LEAST_SHARE)
    return np.log(shares[0] / shares[1])[codes]


def cheapest_cut(
    values: np.ndarray, ratio: np.ndarray, lesion: np.ndarray, rest: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Mask of least cost: the sum of -ratio inside and of the faces along its border.

    Parameters
    ----------
    values : (S, K, J, I) float array
        The sources.
    ratio : (K, J, I) float array
        Gain of having a voxel inside.
    lesion, rest : (K, J, I) bool arrays
        What is inside and outside whatever it costs; disjoint, at least one voxel each.
    weights : (S,) array
        How much the edges of each source count.

    Returns
    -------
    (K, J, I) bool array

    Raises
    ------
    UsageError
        When seeds are missing.
    """
    if not lesion.any() or not rest.any():
        raise UsageError("A graph cut without seeds", "seeds of lesion and of surroundings")
    free = ~(lesion | rest).ravel()
    unknown = np.flatnonzero(free)
    found = lesion.ravel().copy()
    if not unknown.size:
        return found.reshape(lesion.shape)
    first, second, face = conductances(values, free, weights)
    gain = ratio.ravel().astype(np.float64).copy()
    for near, far in ((first, second), (second, first)):  # faces to voxels that are decided
        decided = free[near] & ~free[far]
        sign = np.where(found[far[decided]], 1.0, -1.0)
        np.add.at(gain, near[decided], sign * SMOOTHNESS * face[decided])
    number = np.full(free.size, -1, np.int32)
    number[unknown] = np.arange(unknown.size, dtype=np.int32)
    both = free[first] & free[second]
    graph = _graph(number[first[both]], number[second[both]], SMOOTHNESS * face[both], gain[unknown])
    source, sink = unknown.size, unknown.size + 1
    residual = graph - maximum_flow(graph, source, sink).flow
    residual.eliminate_zeros()
    inside = breadth_first_order(residual, source, return_predecessors=False)
    found[unknown[inside[inside < unknown.size]]] = True
    return found.reshape(lesion.shape)


def _graph(first: np.ndarray, second: np.ndarray, face: np.ndarray, gain: np.ndarray) -> sparse.csr_matrix:
    """Capacities between voxels both ways, from the source to gains and from losses to the sink."""
    size = gain.size
    wins, loses = np.flatnonzero(gain > 0), np.flatnonzero(gain < 0)
    rows = np.concatenate([first, second, np.full(wins.size, size), loses])
    columns = np.concatenate([second, first, wins, np.full(loses.size, size + 1)])
    capacity = np.rint(_UNIT * np.concatenate([face, face, gain[wins], -gain[loses]])).astype(np.int32)
    return sparse.csr_matrix((capacity, (rows, columns)), shape=(size + 2, size + 2))
