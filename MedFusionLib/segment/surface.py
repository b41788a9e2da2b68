"""The surface of a mask: the voxel faces between inside and outside."""

from __future__ import annotations

import numpy as np

from MedFusionLib.volume import Geometry


def boundary_faces(mask: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Every face between a voxel of the mask and one outside it (or the edge of the grid).

    Parameters
    ----------
    mask : (K, J, I) bool array
        The voxels.
    geometry : Geometry
        Their grid; any orientation, spacing or shear.

    Returns
    -------
    centres : (N, 3) float64 array
        RAS of the faces' centres in mm.
    areas : (N,) float64 array
        Areas of the faces in mm2.
    """
    columns = geometry.ijk_to_ras[:3, :3]
    centres, areas = [], []
    for axis in range(3):
        column = 2 - axis
        others = [columns[:, n] for n in range(3) if n != column]
        area = float(np.linalg.norm(np.cross(*others)))
        padded = np.pad(mask, [(1, 1) if n == axis else (0, 0) for n in range(3)])
        found = np.argwhere(np.diff(padded.view(np.int8), axis=axis) != 0).astype(np.float64)
        found[:, axis] -= 0.5
        centres.append(geometry.to_ras(found[:, ::-1]))
        areas.append(np.full(len(found), area))
    return np.concatenate(centres), np.concatenate(areas)


def bounding_box(mask: np.ndarray, margin: tuple[int, int, int] = (0, 0, 0)) -> tuple[slice, slice, slice]:
    """The smallest box (K, J, I) around a non-empty mask, grown by `margin` voxels within the grid."""
    box = []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(axis=tuple(n for n in range(3) if n != axis)))
        box.append(slice(max(int(hit[0]) - margin[axis], 0), min(int(hit[-1]) + 1 + margin[axis], mask.shape[axis])))
    return tuple(box)


def cropped_geometry(geometry: Geometry, box: tuple[slice, slice, slice]) -> Geometry:
    """The grid of a box of voxels."""
    matrix = geometry.ijk_to_ras.copy()
    matrix[:3, 3] = geometry.to_ras([s.start for s in box[::-1]])
    return Geometry(tuple(s.stop - s.start for s in box), matrix)


def surface_area_mm2(mask: np.ndarray, geometry: Geometry) -> float:
    """Surface of a mask in mm2 by counting intercepts along 13 directions (Crofton), as ITK does.

    Notes
    -----
    G. Lehmann, D. Legland, "Efficient N-dimensional surface estimation using Crofton formula and
    run-length encoding", Insight Journal (2012). Within 2 % for a sphere of ten voxels across,
    where the sum of the faces would be 50 % too large.
    """
    import SimpleITK as sitk

    box = bounding_box(mask)
    image = sitk.GetImageFromArray(np.pad(mask[box], 1).astype(np.uint8))
    image.SetSpacing(geometry.spacing_mm)
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(image)
    return float(shape.GetPerimeter(1))
