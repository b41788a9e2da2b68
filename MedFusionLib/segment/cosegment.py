"""Co-segmentation: one source says where the lesion is, all sources say where exactly it ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MedFusionLib.region import Region
from MedFusionLib.segment.consistency import Trust, trust_sources
from MedFusionLib.segment.driver import Coarse, coarse_outline
from MedFusionLib.segment.morphology import fill_holes, keep_islands
from MedFusionLib.segment.random_walker import edge_shares, walk
from MedFusionLib.segment.stack import SEED_REACH_MM, Stack

BAND_VOXELS = 1.5
"""The contour is looked for this many voxels of the leading source around its own outline."""


@dataclass(frozen=True, eq=False)
class Cosegmentation:
    """What all sources together make of a lesion.

    Parameters
    ----------
    probability : (K, J, I) float array
        On the stack's grid; the lesion is where it reaches 0.5.
    evidence : dict
        What the result leans on, as plain JSON types.
    notes : tuple of str
        The same for a person.
    """

    probability: np.ndarray
    evidence: dict
    notes: tuple[str, ...]


def cosegment(stack: Stack, *, region: Region | None = None, seed=None) -> Cosegmentation:
    """The leading source's outline, refined by a random walk over the edges of all sources.

    Within a band around the coarse outline (1.5 voxels of the leading source, so PET with its
    broad voxels leaves more to CT and MR than MR does) a random walk decides; its edges come from
    all sources, weighted by how well they line up. Without any edge the coarse outline stays.

    Raises
    ------
    UsageError
        See `driver.coarse_outline`.
    """
    coarse = coarse_outline(stack, region=region, seed=seed)
    band = BAND_VOXELS * coarse.resolution_mm
    trusts = trust_sources(stack, tolerance_mm=band)
    lesion, rest = band_seeds(stack, coarse.mask, band)
    weights = np.array([trust.weight for trust in trusts])
    probability = walk(stack.values, lesion, rest, weights)
    mask = fill_holes(keep_islands(probability >= 0.5, stack.geometry, most=1))
    shares = edge_shares(stack.values, mask, ~lesion & ~rest, weights)
    probability = np.where(mask, np.maximum(probability, 0.5), np.minimum(probability, np.nextafter(0.5, 0)))
    return Cosegmentation(
        probability, evidence_of(stack, coarse, trusts, shares), notes_of(stack, coarse, trusts, shares)
    )


def band_seeds(stack: Stack, mask: np.ndarray, band: float) -> tuple[np.ndarray, np.ndarray]:
    """What is surely lesion and surely not; a lesion thinner than the band keeps its deepest third."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1, 1:-1] * stack.spacing_mm
    away = ndimage.distance_transform_edt(~mask) * stack.spacing_mm
    rest = (away > band) | ~stack.inside
    for axis in range(3):
        edge = [slice(None)] * 3
        edge[axis] = [0, -1]
        rest[tuple(edge)] = True
    return (depth > min(band, 2 * depth.max() / 3)) & ~rest, rest & ~(depth > min(band, 2 * depth.max() / 3))


def evidence_of(stack: Stack, coarse: Coarse, trusts: tuple[Trust, ...], shares: np.ndarray) -> dict:
    """What a result leans on, as plain JSON types; `shares` of the sources in the contour's edges."""
    leading = stack.sources[coarse.driver]
    return {
        "leading_source": coarse.driver,
        "leading_modality": leading.modality,
        "level": coarse.level,
        "level_unit": leading.unit.code,
        "contrast_sd": coarse.contrast,
        "coarse_volume_ml": float(coarse.mask.sum()) * stack.geometry.voxel_volume_ml,
        "band_mm": BAND_VOXELS * coarse.resolution_mm,
        "sources": [
            {
                "modality": source.modality,
                "weight": trust.weight,
                "edge_share": float(share),
                "offset_ras_mm": None if trust.offset_ras_mm is None else list(trust.offset_ras_mm),
            }
            for source, trust, share in zip(stack.sources, trusts, shares)
        ],
    }


def notes_of(stack: Stack, coarse: Coarse, trusts: tuple[Trust, ...], shares: np.ndarray) -> tuple[str, ...]:
    """The same for a person."""
    leading = stack.sources[coarse.driver]
    level = f"{coarse.level:.4g} {leading.unit}"
    where = f"leans on {leading.modality} ({leading.name}) for where the lesion is (level {level})"
    edges = ", ".join(f"{source.modality} {share:.0%}" for source, share in zip(stack.sources, shares))
    notes = [where, f"edges of the contour: {edges}"]
    if not stack.has_region and _reaches_border(coarse.mask):
        notes.append(
            f"reaches the end of the search, {SEED_REACH_MM:g} mm from the seed or the image's edge: mark a region"
        )
    for source, trust in zip(stack.sources, trusts):
        if trust.weight < 0.9:
            distance = float(np.linalg.norm(trust.offset_ras_mm))
            notes.append(
                f"{source.modality} matches the anatomy better {distance:.0f} mm away: weight {trust.weight:.2f}"
            )
    return tuple(notes)


def _reaches_border(mask: np.ndarray) -> bool:
    return any(mask.take(end, axis=axis).any() for axis in range(3) for end in (0, -1))
