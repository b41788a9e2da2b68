"""Look an image up at many points, quickly: what a search for a position spends its time on."""

from __future__ import annotations

import numpy as np

from MedFusionLib.volume import Geometry

_INWARDS = 1e-6
"""Points on the border of the grid count as inside: coordinates shrink by this share towards the middle."""


class Lookup:
    """Trilinear interpolation of one image, NaN outside its field of view.

    The image gets a border of NaN, so that leaving it needs no test. A single slice counts as thick as
    it is.

    Parameters
    ----------
    array : (K, J, I) float32
        The image; where it is NaN, so is what is looked up next to it.
    geometry : Geometry
        Its grid.
    """

    def __init__(self, array: np.ndarray, geometry: Geometry) -> None:
        flat = [axis for axis, count in enumerate(array.shape) if count == 1]
        for axis in flat:
            array = np.repeat(array, 2, axis=axis)
        padded = np.pad(np.asarray(array, np.float32), 1, constant_values=np.nan)
        _, rows, columns = padded.shape
        self._steps = (1, columns, columns * rows)
        corners = [i + j * columns + k * columns * rows for k in (0, 1) for j in (0, 1) for i in (0, 1)]
        self._corners = [padded.ravel()[offset:] for offset in corners]
        self._last = np.array(padded.shape[::-1], np.float32)[:, None] - 2
        self._to_cells = _to_cells(array.shape, flat) @ geometry.ras_to_ijk

    def __call__(self, offsets: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """(N,) float32 at `matrix` @ `offsets`.

        Parameters
        ----------
        offsets : (3, N) float32
            Points in mm, near the origin so that single precision is enough.
        matrix : (4, 4) float64
            From there to RAS in mm.
        """
        way = self._to_cells @ matrix
        cells = way[:3, :3].astype(np.float32) @ offsets
        cells += way[:3, 3:].astype(np.float32)
        whole = np.floor(cells)
        cells -= whole
        np.clip(whole, 0, self._last, out=whole)
        i, j, k = whole.astype(np.intp)
        place = i + j * self._steps[1] + k * self._steps[2]
        values = [corner.take(place, mode="clip") for corner in self._corners]
        for share in cells:
            values = [_between(low, high, share) for low, high in zip(values[::2], values[1::2])]
        return values[0]


def _between(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> np.ndarray:
    """low + share (high - low), in the memory of `high`."""
    high -= low
    high *= share
    high += low
    return high


def _to_cells(shape: tuple[int, int, int], flat: list[int]) -> np.ndarray:
    """(4, 4) from voxel indices (i, j, k) to indices in the image with its border."""
    matrix = np.eye(4)
    for place, count in enumerate(shape[::-1]):
        # two copies of a single slice span its thickness
        first = 1.5 if 2 - place in flat else 1.0
        middle = 1 + (count - 1) / 2
        matrix[place, place] = 1 - _INWARDS
        matrix[place, 3] = first + _INWARDS * (middle - first)
    return matrix
