"""Loss map: structure of a source that the fused volume does not show.

Definition
----------
The structure of a volume is its mean over the neighbours within one voxel, minus its mean over the
surroundings of about 6 mm. Its contrast is the root mean square over the neighbours within two
voxels. The share of source s that is kept is the regression coefficient of the fused structure on
that of the source there. What keeps half of its contrast or more is not lost, since a fair average
of two sources halves the contrast of both; below that the loss grows to the whole contrast where
nothing is kept, or where the fused volume shows the opposite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.threads import one_torch_thread
from MedFusionLib.trust.slabs import as_tensor, box_mean, radii_within, slabs

if TYPE_CHECKING:
    from torch import Tensor

SIGNIFICANT = 12 / 255
"""A structure counts as lost when the map exceeds twelve grey levels of 255."""
KEPT = 0.5
SURROUNDINGS_MM = 6.0
_WINDOW = 2
_LARGEST_RADIUS = 6
_TINY = 1e-8


def loss_map(
    fused: np.ndarray,
    sources: np.ndarray,
    spacing_kji_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    *,
    slice_axis: int | None = None,
) -> np.ndarray:
    """Lost contrast of each source in each voxel.

    Parameters
    ----------
    fused : (K, J, I) float32
        Fusion index.
    sources : (S, K, J, I) float32
        Normalised sources on the same scale.
    spacing_kji_mm : tuple of float
        Voxel size along K, J, I.
    slice_axis : int or None
        Array axis that neighbourhoods do not cross (slice-wise fusion).

    Returns
    -------
    (S, K, J, I) float32
        In fusion index, 0 to the contrast of the source's structure.
    """
    around = tuple(
        0 if axis == slice_axis else int(np.clip(round(SURROUNDINGS_MM / step), 2, _LARGEST_RADIUS))
        for axis, step in enumerate(spacing_kji_mm)
    )
    near, window = radii_within(slice_axis), radii_within(slice_axis, _WINDOW)
    out = np.empty(sources.shape, np.float32)
    with one_torch_thread():
        for slab in slabs(fused.shape, around[0] + window[0]):
            shown = _structure(as_tensor(fused[slab.read]), near, around)
            for number in range(len(sources)):
                wanted = _structure(as_tensor(sources[number, slab.read]), near, around)
                out[number, slab.core] = _lost(shown, wanted, window)[slab.inner].numpy()
    return out


def loss_summary(loss: np.ndarray, sources_foreground: np.ndarray) -> list[dict[str, float]]:
    """Per source: mean and 99th percentile in the foreground, and share of voxels with significant loss."""
    found = []
    for values in loss:
        inside = values[sources_foreground]
        if inside.size == 0:
            found.append({"mean": 0.0, "p99": 0.0, "fraction": 0.0})
            continue
        found.append(
            {
                "mean": float(inside.mean(dtype=np.float64)),
                "p99": float(np.percentile(inside, 99)),
                "fraction": float((inside > SIGNIFICANT).mean()),
            }
        )
    return found


def _structure(values: Tensor, near: tuple[int, int, int], around: tuple[int, int, int]) -> Tensor:
    return box_mean(values, near) - box_mean(values, around)


def _lost(shown: Tensor, wanted: Tensor, window: tuple[int, int, int]) -> Tensor:
    power = box_mean(wanted.square(), window)
    kept = box_mean(shown * wanted, window) / (power + _TINY)
    return power.sqrt() * (1 - kept / KEPT).clamp_(0, 1)
