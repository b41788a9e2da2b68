"""From a grid in RAS to DICOM image planes in LPS, and how a grid lies to the reference series."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from MedFusionLib.errors import NotAligned, NotSupported, UsageError
from MedFusionLib.io.dicom_export.reference import Reference
from MedFusionLib.volume import GRID_TOLERANCE_MM, Geometry

_LPS = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Planes:
    """Image planes of a stack in LPS.

    Parameters
    ----------
    positions : (K, 3) float64
        Centre of the first voxel of every plane, mm.
    orientation : (6,) float64
        Direction of increasing column index, then of increasing row index.
    spacing : (float, float)
        Between rows, and between columns, in mm (PixelSpacing).
    step : float
        Distance between neighbouring planes in mm.
    on_reference : bool
        Whether plane k is slice k of the reference series.
    """

    positions: np.ndarray
    orientation: np.ndarray
    spacing: tuple[float, float]
    step: float
    on_reference: bool

    @property
    def normal(self) -> np.ndarray:
        """Unit vector across the planes, (3,) in LPS."""
        return np.cross(self.orientation[:3], self.orientation[3:])


@dataclass(frozen=True, eq=False)
class Placement:
    """How to store arrays of a grid: the order of axes, and the planes they become.

    Parameters
    ----------
    axes : tuple of int
        Array axis that becomes K, J, I.
    flips : tuple of bool
        Whether the new K, J, I run backwards.
    planes : Planes
        Where the planes lie.
    geometry : Geometry
        The grid after reordering.
    warnings : tuple of str
        What a person should know.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    planes: Planes
    geometry: Geometry
    warnings: tuple[str, ...] = ()

    @property
    def volume_planes(self) -> Planes:
        """Planes in even steps, as an object that is one volume needs them.

        The slices of a real series may lie a few hundredths of a millimetre off even steps; readers refuse
        to make a volume of that. Frames then lie on the grid of the result.
        """
        even = _planes_of_grid(self.geometry, on_reference=self.planes.on_reference)
        off = np.linalg.norm(even.positions - self.planes.positions, axis=1).max()
        return self.planes if off <= GRID_TOLERANCE_MM else even

    def apply(self, array: np.ndarray) -> np.ndarray:
        """A view (K, J, I, ...) of an array on the grid before reordering."""
        rest = tuple(range(3, array.ndim))
        return array.transpose(*self.axes, *rest)[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]


def place(geometry: Geometry, frame_of_reference: str, reference: Reference, *, same_grid_only: bool) -> Placement:
    """Where a grid lies in the reference series.

    Parameters
    ----------
    geometry : Geometry
        The grid to export.
    frame_of_reference : str
        Hashed FrameOfReferenceUID that the grid is known to lie in; empty when unknown.
    reference : Reference
        The series.
    same_grid_only : bool
        Whether the object is bound to the slices of the series.

    Raises
    ------
    NotAligned
        When the grid is known to lie in another frame of reference, or is not shown to lie in this one.
    NotSupported
        When the object needs the reference's own slices, or the grid is sheared.
    """
    difference = reference.geometry.describe_difference(geometry)
    if frame_of_reference and frame_of_reference != reference.frame_of_reference:
        raise NotAligned(
            "The result lies in another frame of reference than the reference series",
            "the series on whose grid the sources were fused",
            "Give the folder of the first source" + (f". {difference}" if difference else ""),
        )
    order = _same_voxels(geometry, reference.geometry)
    if order is not None and not _slices_make_the_grid(reference):
        difference = "Its slices were resampled when the series was read"
        order = None
    if order is not None:
        return Placement(*order, _planes_of_reference(reference), reference.geometry)
    if same_grid_only:
        raise NotSupported(
            f"The result is not on the slices of the reference series: {difference}",
            "the grid of the reference series, which this object needs (sc, sc-grey, pm and seg do not)",
        )
    if not frame_of_reference:
        raise NotAligned(
            f"Nothing shows that the result lies in the reference series' frame of reference: {difference}",
            "the grid of the reference series, or a result made from DICOM series of that frame of reference",
        )
    order = _axial_order(geometry, reference.geometry)
    turned = reordered(geometry, *order)
    note = f"The result is on its own grid in the frame of reference of the series. {difference}"
    return Placement(*order, _planes_of_grid(turned), turned, (note,))


def reordered(geometry: Geometry, axes: tuple[int, ...], flips: tuple[bool, ...]) -> Geometry:
    """The same voxels with array axes taken in another order and direction."""
    columns = geometry.ijk_to_ras[:3, [2, 1, 0]]  # per array axis K, J, I
    origin = geometry.ijk_to_ras[:3, 3].copy()
    shape = tuple(geometry.shape[axis] for axis in axes)
    steps = columns[:, list(axes)].copy()
    for position, flip in enumerate(flips):
        if flip:
            origin += steps[:, position] * (shape[position] - 1)
            steps[:, position] *= -1
    matrix = np.eye(4)
    matrix[:3, :3] = steps[:, ::-1]
    matrix[:3, 3] = origin
    return Geometry(shape, matrix)


def _same_voxels(geometry: Geometry, target: Geometry) -> tuple | None:
    """Axes and flips that turn one grid into the other, if they hold the same voxels."""
    for axes in itertools.permutations(range(3)):
        if tuple(geometry.shape[axis] for axis in axes) != target.shape:
            continue
        for flips in itertools.product((False, True), repeat=3):
            if reordered(geometry, axes, flips).same_grid(target):
                return axes, flips
    return None


def _axial_order(geometry: Geometry, target: Geometry) -> tuple:
    """Axes and flips that bring a grid closest to the directions of another one."""
    mine, wanted = geometry.directions[:, ::-1], target.directions[:, ::-1]
    cosines = wanted.T @ mine
    axes = max(itertools.permutations(range(3)), key=lambda p: sum(abs(cosines[n, a]) for n, a in enumerate(p)))
    return axes, tuple(bool(cosines[n, axis] < 0) for n, axis in enumerate(axes))


def _slices_make_the_grid(reference: Reference) -> bool:
    """Whether slice k is plane k of the grid (within half a step), as is not so after resampling a tilted gantry."""
    if reference.is_multiframe:
        return True
    if len(reference.headers) != reference.geometry.shape[0]:
        return False
    ijk = reference.geometry.to_ijk(reference.positions * _LPS)
    off = (ijk - [[0, 0, k] for k in range(len(ijk))]) * reference.geometry.spacing_mm
    return bool(np.linalg.norm(off, axis=1).max() < 0.5 * reference.geometry.spacing_mm[2])


def _planes_of_reference(reference: Reference) -> Planes:
    """The slices of the series where they are, whatever their small irregularities."""
    if reference.is_multiframe:
        return _planes_of_grid(reference.geometry, on_reference=True)
    first = reference.first
    orientation = np.array(first.ImageOrientationPatient, float)
    step = round(float(reference.geometry.spacing_mm[2]), 6)
    return Planes(reference.positions, orientation, tuple(float(v) for v in first.PixelSpacing), step, True)


def _planes_of_grid(geometry: Geometry, *, on_reference: bool = False) -> Planes:
    if not geometry.is_orthogonal:
        raise NotSupported("The result's grid is sheared", "perpendicular axes", "Fuse on an upright reference")
    columns = geometry.directions * _LPS[:, None]
    step = geometry.ijk_to_ras[:3, 2] * _LPS
    first = geometry.origin_ras * _LPS
    positions = first + np.arange(geometry.shape[0])[:, None] * step
    spacing = geometry.spacing_mm
    orientation = np.concatenate([columns[:, 0], columns[:, 1]])
    return Planes(positions, orientation, (spacing[1], spacing[0]), spacing[2], on_reference)


def check_shape(name: str, array: np.ndarray, geometry: Geometry) -> None:
    """Refuse an array that does not fit its grid.

    Raises
    ------
    UsageError
        When its first three axes are not the grid's.
    """
    if array.shape[:3] != geometry.shape:
        raise UsageError(f"{name} has shape {array.shape}", f"the grid's shape {geometry.shape}")
