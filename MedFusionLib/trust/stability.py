"""Stability map: how much the fused volume changes when its sources change a little.

The sources are fused again with each moving source shifted by 1 mm along each axis, and with noise
of each source's own level added. The map is the root mean square of the changes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from MedFusionLib.interrupt import checkpoint
from MedFusionLib.trust.slabs import slabs

SHIFT_MM = 1.0
_SEED = 5
_NORMAL_MAD = 0.6745


def stability_map(
    fuse_again: Callable[[np.ndarray], np.ndarray],
    fused: np.ndarray,
    sources: np.ndarray,
    spacing_kji_mm: tuple[float, float, float],
) -> np.ndarray:
    """Root mean square change under 1 mm of misregistration and under noise.

    Needs one more copy of the sources, and 3 (S - 1) + 1 fusions.

    Parameters
    ----------
    fuse_again : callable
        Fuses sources (S, K, J, I) into (K, J, I), as the fused volume was.
    fused : (K, J, I) float32
        Fusion index.
    sources : (S, K, J, I) float32
        Normalised sources on one grid.
    spacing_kji_mm : tuple of float
        Voxel size along K, J, I.

    Returns
    -------
    (K, J, I) float32
        In fusion index.
    """
    total, count = np.zeros(fused.shape, np.float32), 0
    changed = sources.copy()
    for number in range(1, len(sources)):
        for axis in (a for a in range(3) if fused.shape[a] > 1):
            changed[number] = shifted(sources[number], axis, SHIFT_MM / spacing_kji_mm[axis])
            _add_square(total, fuse_again(changed), fused)
            count += 1
        changed[number] = sources[number]
    rng = np.random.default_rng(_SEED)
    for number, source in enumerate(sources):
        _add_noise(changed[number], noise_level(source), rng)
    _add_square(total, fuse_again(changed), fused)
    total /= count + 1
    return np.sqrt(total, out=total)


def stability_summary(stability: np.ndarray, foreground: np.ndarray) -> dict[str, float]:
    """Mean and 99th percentile in the foreground."""
    values = stability[foreground]
    if values.size == 0:
        return {"mean": 0.0, "p99": 0.0}
    return {"mean": float(values.mean(dtype=np.float64)), "p99": float(np.percentile(values, 99))}


def noise_level(source: np.ndarray) -> float:
    """Standard deviation of a source's noise, from second differences along I in its foreground.

    By the median of their absolute values, so that edges do not count; 0 for smooth images.
    """
    if source.shape[-1] < 3:
        return 0.0
    step = max(1, source.shape[0] // 16)
    rows = source[::step]
    bend = rows[..., 2:] - 2 * rows[..., 1:-1] + rows[..., :-2]
    inside = np.abs(bend[rows[..., 1:-1] > 2 / 255])
    return float(np.median(inside)) / (_NORMAL_MAD * np.sqrt(6)) if inside.size else 0.0


def shifted(source: np.ndarray, axis: int, voxels: float) -> np.ndarray:
    """The source moved along an axis by less or more than a voxel, linearly interpolated, border repeated."""
    whole, share = divmod(voxels, 1)
    places = np.arange(source.shape[axis]) - int(whole)
    last = source.shape[axis] - 1
    near = source.take(np.clip(places, 0, last), axis)
    far = source.take(np.clip(places - 1, 0, last), axis)
    near *= np.float32(1 - share)
    far *= np.float32(share)
    near += far
    return near


def _add_square(total: np.ndarray, again: np.ndarray, fused: np.ndarray) -> None:
    for slab in slabs(total.shape, 0):
        total[slab.core] += np.square(np.clip(again[slab.core], 0, 1) - fused[slab.core])


def _add_noise(source: np.ndarray, level: float, rng: np.random.Generator) -> None:
    for row in source:
        checkpoint()
        row += rng.normal(0, level, row.shape).astype(np.float32)
        np.clip(row, 0, 1, out=row)
