"""Three planes through a volume, turned as a radiologist expects them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MedFusionLib.result import FusionResult
from MedFusionLib.volume import Geometry

PLANES = ("axial", "coronal", "sagittal")
EDGES = {"axial": ("A", "P", "R", "L"), "coronal": ("S", "I", "R", "L"), "sagittal": ("S", "I", "A", "P")}
"""Letters at the top, bottom, left and right of a plane."""
_ACROSS = {"axial": (2, "S", "I"), "coronal": (1, "A", "P"), "sagittal": (0, "R", "L")}
"""World axis that a plane cuts, and the letters of its positive and negative side."""


@dataclass(frozen=True)
class Upright:
    """Turns arrays of one grid so that axes run to superior, anterior, right, and cuts planes.

    Parameters
    ----------
    geometry : Geometry
        The grid.
    centre_kji : tuple of int
        The voxel that the planes go through.
    """

    geometry: Geometry
    centre_kji: tuple[int, int, int]

    def plane(self, array: np.ndarray, name: str) -> np.ndarray:
        """Rows from top to bottom and columns from left to right of one plane of (K, J, I) or (K, J, I, 3)."""
        axes, flips = self._axes()
        turned = array.transpose((*axes, *range(3, array.ndim)))
        place = [self.centre_kji[axis] for axis in axes]
        for axis, flip in enumerate(flips):
            if flip:
                turned = np.flip(turned, axis)
                place[axis] = turned.shape[axis] - 1 - place[axis]
        s, a, r = place
        if name == "axial":
            return turned[s, ::-1, ::-1]
        if name == "coronal":
            return turned[::-1, a, ::-1]
        return turned[::-1, ::-1, r]

    def size_mm(self, name: str) -> tuple[float, float]:
        """Width and height of a plane in mm."""
        axes, _ = self._axes()
        s, a, r = (self.geometry.spacing_kji_mm[axis] * self.geometry.shape[axis] for axis in axes)
        return {"axial": (r, a), "coronal": (r, s), "sagittal": (a, s)}[name]

    def place(self, name: str) -> str:
        """Where a plane cuts the patient: letter and mm, exact where the grid is not oblique."""
        axis, positive, negative = _ACROSS[name]
        mm = float(self.geometry.to_ras(np.array(self.centre_kji[::-1], float))[axis])
        return f"{positive if mm >= 0 else negative} {abs(mm):.1f} mm"

    def _axes(self) -> tuple[list[int], list[bool]]:
        """Array axes that run nearest to S, A, R, and whether they run the other way."""
        matrix = self.geometry.directions  # columns I, J, K
        free, axes, flips = [0, 1, 2], [], []
        for world in (2, 1, 0):
            column = max(free, key=lambda c, world=world: abs(matrix[world, c]))
            free.remove(column)
            axes.append(2 - column)
            flips.append(bool(matrix[world, column] < 0))
        return axes, flips


def upright_of(result: FusionResult, mask: np.ndarray | None) -> Upright:
    """Planes through the tumour, else the hottest region of function, else the middle of what is bright."""
    from scipy import ndimage

    geometry = result.fused.geometry
    if mask is not None and mask.any():
        weights = mask.astype(np.float32)
    elif result.functional_index is not None:
        values = result.sources[result.functional_index].array
        smooth = ndimage.uniform_filter(values, 5)
        weights = (smooth > 0.8 * smooth.max()).astype(np.float32)
    else:
        weights = result.fused.array > 0.2
    if not weights.any():
        return Upright(geometry, tuple(n // 2 for n in geometry.shape))
    centre = ndimage.center_of_mass(weights)
    return Upright(geometry, tuple(int(np.clip(round(c), 0, n - 1)) for c, n in zip(centre, geometry.shape)))
