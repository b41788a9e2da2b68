"""Does the fused volume still show the lesions?"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

GAP_MM = 2.0
SHELL_MM = 10.0
HIDDEN = 0.3
"""A lesion counts as hidden when the fused contrast is below this share of the best source's."""
VISIBLE = 0.05
"""Least contrast (in 0..1) of a source for a lesion to count as visible there."""


def lesion_contrast(
    labels: np.ndarray,
    fused: np.ndarray,
    sources: np.ndarray,
    spacing_kji_mm: tuple[float, float, float],
) -> list[dict]:
    """Contrast of each lesion to its surroundings, in every source and in the fused volume.

    Contrast is the mean inside minus the mean of a shell from 2 to 10 mm outside, without other
    lesions, in units of the window (0..1).

    Parameters
    ----------
    labels : (K, J, I) integers
        Lesions on the reference grid, 0 elsewhere.
    fused, sources
        Fusion index (K, J, I), and normalised sources (S, K, J, I).
    spacing_kji_mm : tuple of float
        Voxel size along K, J, I.

    Returns
    -------
    list of dict
        Per lesion: ``label``, ``sources`` (contrast in each), ``fused``, and ``hidden``. Contrasts are
        None where the lesion has no surroundings in the image.
    """
    found = []
    for label in np.unique(labels[labels > 0]):
        box = _box(labels == label, spacing_kji_mm)
        inside = labels[box] == label
        distance = ndimage.distance_transform_edt(~inside, sampling=spacing_kji_mm)
        shell = (distance > GAP_MM) & (distance <= SHELL_MM) & (labels[box] == 0)
        if not shell.any():
            found.append({"label": int(label), "sources": [None] * len(sources), "fused": None, "hidden": False})
            continue
        contrasts = [_contrast(volume[box], inside, shell) for volume in (*sources, fused)]
        best = max(abs(c) for c in contrasts[:-1])
        hidden = best >= VISIBLE and abs(contrasts[-1]) < HIDDEN * best
        found.append({"label": int(label), "sources": contrasts[:-1], "fused": contrasts[-1], "hidden": bool(hidden)})
    return found


def _contrast(values: np.ndarray, inside: np.ndarray, shell: np.ndarray) -> float:
    return float(values[inside].mean(dtype=np.float64) - values[shell].mean(dtype=np.float64))


def _box(mask: np.ndarray, spacing_kji_mm: tuple[float, float, float]) -> tuple[slice, ...]:
    """The lesion's bounding box and its surroundings."""
    (box,) = ndimage.find_objects(mask.astype(np.uint8))
    margins = [int(np.ceil(SHELL_MM / step)) + 1 for step in spacing_kji_mm]
    return tuple(slice(max(0, s.start - m), s.stop + m) for s, m in zip(box, margins))
