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
SEEN_FROM, MARGIN_MM = 0.05, 8.0
"""Fusion index from which a voxel is worth to be seen, and what is left around all of them."""


@dataclass(frozen=True)
class Upright:
    """Turns arrays of one grid so that axes run to superior, anterior, right, and cuts planes.

    Parameters
    ----------
    geometry : Geometry
        The grid.
    centre_kji : tuple of int
        The voxel that the planes go through, counted in the part.
    part : tuple of slice
        What is shown of larger arrays, along K, J, I; `geometry` is that of the part.
    """

    geometry: Geometry
    centre_kji: tuple[int, int, int]
    part: tuple[slice, slice, slice] = (slice(None), slice(None), slice(None))

    def plane(self, array: np.ndarray, name: str) -> np.ndarray:
        """Rows from top to bottom and columns from left to right of one plane of (K, J, I) or (K, J, I, 3)."""
        axes, flips = self._axes()
        array = array[self.part]
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
    if weights.any():
        centre = ndimage.center_of_mass(weights)
        middle = [int(np.clip(round(c), 0, n - 1)) for c, n in zip(centre, geometry.shape)]
    else:
        middle = [n // 2 for n in geometry.shape]
    part = _shown_part(result, mask, middle)
    first = [piece.start for piece in part]
    matrix = geometry.ijk_to_ras.copy()
    matrix[:3, 3] = geometry.to_ras(np.array(first[::-1], float))
    cropped = Geometry(tuple(piece.stop - piece.start for piece in part), matrix)
    return Upright(cropped, tuple(m - f for m, f in zip(middle, first)), part)


def _shown_part(result: FusionResult, mask: np.ndarray | None, middle: list[int]) -> tuple[slice, slice, slice]:
    """The box around what is to be seen, with a margin: a head in a large field would be small."""
    seen = result.fused.array > SEEN_FROM
    if mask is not None:
        seen |= mask
    part = []
    for axis, length in enumerate(seen.shape):
        filled = np.flatnonzero(seen.any(axis=tuple(other for other in range(3) if other != axis)))
        margin = int(np.ceil(MARGIN_MM / result.fused.geometry.spacing_kji_mm[axis]))
        low, high = (int(filled[0]), int(filled[-1])) if filled.size else (0, length - 1)
        part.append(slice(max(0, min(low, middle[axis]) - margin), min(length, max(high, middle[axis]) + margin + 1)))
    return tuple(part)
