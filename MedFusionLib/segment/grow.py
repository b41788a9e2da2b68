"""Three classical ways to outline a lesion in a stack of sources: clusters, growing, level set."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MedFusionLib.errors import UsageError
from MedFusionLib.region import Region
from MedFusionLib.segment.consistency import trust_sources
from MedFusionLib.segment.cosegment import BAND_VOXELS, Cosegmentation
from MedFusionLib.segment.driver import coarse_outline, island_of, lesion_sample, with_cold_parts
from MedFusionLib.segment.kernel_fcm import kernel_fuzzy_means
from MedFusionLib.segment.morphology import close_mask, fill_holes
from MedFusionLib.segment.nlem import euclidean_medians
from MedFusionLib.segment.stack import Stack
from MedFusionLib.segment.surface import bounding_box

CLUSTER_VOXELS = 100_000
"""Denoising and clustering work on at most about this many voxels."""
GROWING_WIDTH, GROWING_ROUNDS = 2.5, 5
LEVEL_SET_ROUNDS = 300
_CLOSING_MM = 3.0
_DENOISED_BEYOND = 4
"""Voxels around what is clustered that its denoising looks at."""
_LEAST_SPREAD = 0.02


def by_clusters(stack: Stack, *, region: Region | None = None, seed=None) -> Cosegmentation:
    """Denoise every source by non-local Euclidean medians, cluster all of them, keep the lesion's clusters.

    Only the neighbourhood of the leading source's outline is clustered, about as many voxels outside as
    inside: in a whole head a small lesion would get no cluster of its own. Sources count as much as they
    part inside from outside. A cluster is the lesion's
    when the larger share of its memberships lies in that outline. Gaps of less than 6 mm and holes
    are closed, with PET or SPECT in the lead also cold parts, as in `driver.with_cold_parts`.

    Raises
    ------
    UsageError
        See `driver.coarse_outline`.
    """
    coarse = coarse_outline(stack, region=region, seed=seed)
    near = _neighbourhood(stack, coarse.mask)
    box = bounding_box(near, (_DENOISED_BEYOND,) * 3)
    features = np.zeros_like(stack.values)
    features[(slice(None), *box)] = [euclidean_medians(one[box]) for one in _unit_range(stack, near)]
    inside = coarse.mask[near]
    features *= _separation(features[:, near], inside)[:, None, None, None]
    found = kernel_fuzzy_means(features, near)
    share = found.memberships[:, inside].mean(axis=1) / np.maximum(found.memberships[:, ~inside].mean(axis=1), 1e-12)
    lesion = np.zeros(stack.geometry.shape)
    lesion[near] = found.memberships[share > 1].sum(axis=0)
    mask = island_of(lesion >= 0.5, coarse.mask & near)
    mask = fill_holes(close_mask(mask, stack.geometry, radius_mm=_CLOSING_MM)) & stack.inside
    if stack.sources[coarse.driver].is_functional:  # a cold part looks like its surroundings
        mask = with_cold_parts(stack, mask)
    evidence = {"leading_source": coarse.driver, "level": coarse.level, "clusters": len(found.centres)}
    return _result(stack, mask, {**evidence, "lesion_clusters": int((share > 1).sum())})


def _separation(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(S,) how well each source parts inside from outside: difference of means over the spread within both."""
    one, other = values[:, inside], values[:, ~inside]
    spread = np.sqrt((one.var(axis=1) + other.var(axis=1)) / 2)
    return np.abs(one.mean(axis=1) - other.mean(axis=1)) / np.maximum(spread, _LEAST_SPREAD)


def _neighbourhood(stack: Stack, mask: np.ndarray) -> np.ndarray:
    """The mask and what lies around it, of about its own volume, where the lesion may be."""
    away = ndimage.distance_transform_edt(~mask)
    outside = np.sort(away[stack.inside & (away > 0)])
    if not outside.size:
        raise UsageError("The lesion fills the whole region", "a region with about 1 cm around the lesion")
    reach = outside[min(int(mask.sum()), outside.size) - 1]
    return stack.inside & (away <= reach)


def by_growing(stack: Stack, *, region: Region | None = None, seed=None) -> Cosegmentation:
    """Grow from a place to all connected voxels within 2.5 standard deviations in all sources together.

    The confidence connected method on several sources: mean and covariance of what was found give
    the next round its ellipsoid (Mahalanobis distance). Starts from `lesion_sample`.
    """
    features = _unit_range(stack, stack.inside)
    mask = lesion_sample(stack) & stack.inside
    sample = mask
    for _ in range(GROWING_ROUNDS):
        values = features[:, mask].astype(np.float64)
        spread = np.cov(values).reshape(len(features), -1) + _LEAST_SPREAD**2 * np.eye(len(features))
        away = features.reshape(len(features), -1) - values.mean(axis=1, keepdims=True)
        distance = np.einsum("sn,st,tn->n", away, np.linalg.inv(spread), away).reshape(mask.shape)
        mask = island_of((distance <= GROWING_WIDTH**2) & stack.inside, sample)
        if mask.sum() < 2:
            break
    return _result(stack, fill_holes(mask) & stack.inside, {})


def by_level_set(stack: Stack, *, region: Region | None = None, seed=None) -> Cosegmentation:
    """Geodesic active contour (SimpleITK) from the leading source's outline, drawn by the edges of all sources.

    Notes
    -----
    V. Caselles, R. Kimmel, G. Sapiro, "Geodesic active contours", International Journal of Computer
    Vision 22 (1997) 61-79.
    """
    import SimpleITK as sitk

    coarse = coarse_outline(stack, region=region, seed=seed)
    trusts = trust_sources(stack, tolerance_mm=BAND_VOXELS * coarse.resolution_mm)
    box = bounding_box(coarse.mask, (10, 10, 10))
    edges = np.zeros([s.stop - s.start for s in box])
    for values, trust in zip(stack.values, trusts):
        steep = ndimage.gaussian_gradient_magnitude(values[box].astype(np.float64), 1.0, mode="nearest") ** 2
        edges += trust.weight * steep / max(float(steep.mean()), 1e-30)
    inside = np.pad(coarse.mask[box], 1)[1:-1, 1:-1, 1:-1]
    depth = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)
    first, feature = (sitk.GetImageFromArray(one.astype(np.float32)) for one in (depth, 1 / (1 + edges)))
    moved = sitk.GeodesicActiveContourLevelSet(first, feature, 0.005, 0.0, 0.5, 1.0, LEVEL_SET_ROUNDS)
    mask = np.zeros(stack.geometry.shape, bool)
    mask[box] = sitk.GetArrayFromImage(moved) <= 0
    return _result(stack, fill_holes(mask) & stack.inside, {"leading_source": coarse.driver, "level": coarse.level})


def _unit_range(stack: Stack, inside: np.ndarray) -> np.ndarray:
    """The sources, each scaled so that its 1st to 99th percentile inside is 0..1, clipped."""
    scaled = []
    for values in stack.values:
        low, high = np.percentile(values[inside], (1, 99))
        scaled.append(np.clip((values - low) / max(float(high - low), 1e-30), 0, 1))
    return np.stack(scaled)


def _result(stack: Stack, mask: np.ndarray, evidence: dict) -> Cosegmentation:
    if not mask.any():
        raise UsageError("No lesion was found at the marked place", "a lesion that differs from its surroundings")
    return Cosegmentation(mask.astype(np.float32), evidence, ())
