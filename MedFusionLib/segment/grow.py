"""Three classical ways to outline a lesion in a stack of sources: clusters, growing, level set."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MedFusionLib.errors import UsageError
from MedFusionLib.region import Region
from MedFusionLib.segment.consistency import trust_sources
from MedFusionLib.segment.cosegment import BAND_VOXELS, Cosegmentation
from MedFusionLib.segment.driver import coarse_outline, island_of, lesion_sample
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
_LEAST_SPREAD = 0.02


def by_clusters(stack: Stack, *, region: Region | None = None, seed=None) -> Cosegmentation:
    """Denoise every source by non-local Euclidean medians, cluster all of them, keep the lesion's cluster.

    The lesion's cluster is the one that voxels at the seed (in a region with PET: the hottest tenth;
    otherwise its middle) belong to most. Gaps of less than 6 mm and holes are closed.
    """
    features = np.stack([euclidean_medians(one) for one in _unit_range(stack)])
    found = kernel_fuzzy_means(features, stack.inside)
    sample = lesion_sample(stack)
    memberships = np.zeros((len(found.memberships), *stack.geometry.shape))
    memberships[:, stack.inside] = found.memberships
    lesion = int(np.argmax(memberships[:, sample].mean(axis=1)))
    mask = island_of(memberships.argmax(axis=0) == lesion, sample & stack.inside) & stack.inside
    mask = fill_holes(close_mask(mask, stack.geometry, radius_mm=_CLOSING_MM)) & stack.inside
    return _result(stack, mask, {"clusters": len(found.centres)})


def by_growing(stack: Stack, *, region: Region | None = None, seed=None) -> Cosegmentation:
    """Grow from a place to all connected voxels within 2.5 standard deviations in all sources together.

    The confidence connected method on several sources: mean and covariance of what was found give
    the next round its ellipsoid (Mahalanobis distance). Starts from `lesion_sample`.
    """
    features = _unit_range(stack)
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


def _unit_range(stack: Stack) -> np.ndarray:
    """The sources, each scaled so that its 1st to 99th percentile in the region is 0..1, clipped."""
    scaled = []
    for values in stack.values:
        low, high = np.percentile(values[stack.inside], (1, 99))
        scaled.append(np.clip((values - low) / max(float(high - low), 1e-30), 0, 1))
    return np.stack(scaled)


def _result(stack: Stack, mask: np.ndarray, evidence: dict) -> Cosegmentation:
    if not mask.any():
        raise UsageError("No lesion was found at the marked place", "a lesion that differs from its surroundings")
    return Cosegmentation(mask.astype(np.float32), evidence, ())
