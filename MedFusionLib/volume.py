"""Geometry, Volume and Case: the types that everything in MedFusion passes around.

Conventions, once for all
-------------------------
Arrays are indexed ``[k, j, i]`` (slowest to fastest, as NumPy, ITK's NumPy view and 3D Slicer do).
World coordinates are RAS in millimetres: x grows to the patient's right, y to anterior, z to
superior. ``ijk_to_ras`` maps the *centre* of voxel ``(i, j, k)`` to RAS, as NIfTI and 3D Slicer
define it. LPS (DICOM, ITK) is met only at the edges of the library.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from MedFusionLib.errors import UsageError
from MedFusionLib.units import UNKNOWN, Unit

MODALITIES = ("CT", "MR", "PT", "NM", "OT")
FUNCTIONAL_MODALITIES = ("PT", "NM")

GRID_TOLERANCE_MM = 1e-3
"""Two grids are one when no corner voxel moves by more than this (a hundredth of a voxel or less)."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """A regular voxel grid in the patient.

    Parameters
    ----------
    shape : (K, J, I)
        Number of voxels along each array axis.
    ijk_to_ras : (4, 4) array_like of float64
        Maps homogeneous voxel indices ``(i, j, k, 1)`` to RAS in mm (voxel centres).

    Raises
    ------
    UsageError
        When the shape is not three positive numbers, or the matrix is not finite and invertible.
    """

    shape: tuple[int, int, int]
    ijk_to_ras: np.ndarray

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise UsageError(f"A grid of shape {self.shape}", "three positive numbers (K, J, I)")
        matrix = np.array(self.ijk_to_ras, dtype=np.float64)
        if matrix.shape != (4, 4):
            raise UsageError(f"A voxel-to-world matrix of shape {matrix.shape}", "4 x 4")
        if not np.isfinite(matrix).all():
            raise UsageError("The voxel-to-world matrix holds values that are not finite", "finite millimetres")
        if not np.allclose(matrix[3], (0, 0, 0, 1)):
            raise UsageError(f"The voxel-to-world matrix ends in {matrix[3]}", "an affine matrix, last row 0 0 0 1")
        columns = np.linalg.norm(matrix[:3, :3], axis=0)
        if columns.min() <= 0 or abs(np.linalg.det(matrix[:3, :3] / columns)) < 1e-4:
            raise UsageError("The voxel-to-world matrix is singular", "three independent voxel axes")
        matrix.flags.writeable = False
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "ijk_to_ras", matrix)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size in mm along I, J, K (the order of the matrix columns)."""
        return tuple(float(s) for s in np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0))

    @property
    def spacing_kji_mm(self) -> tuple[float, float, float]:
        """Voxel size in mm along the array axes K, J, I."""
        return self.spacing_mm[::-1]

    @property
    def origin_ras(self) -> np.ndarray:
        """RAS of the centre of the first voxel, (3,) in mm."""
        return self.ijk_to_ras[:3, 3].copy()

    @property
    def directions(self) -> np.ndarray:
        """(3, 3) unit vectors of the I, J, K axes in RAS, one per column."""
        return self.ijk_to_ras[:3, :3] / np.asarray(self.spacing_mm)

    @property
    def ras_to_ijk(self) -> np.ndarray:
        """(4, 4) inverse of `ijk_to_ras`."""
        return np.linalg.inv(self.ijk_to_ras)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.ijk_to_ras[:3, :3]))) / 1000.0

    @property
    def number_of_voxels(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_orthogonal(self) -> bool:
        """Whether the three axes are perpendicular (no shear), within 1e-3 of a cosine."""
        gram = self.directions.T @ self.directions
        return bool(np.abs(gram - np.eye(3)).max() < 1e-3)

    @property
    def axis_codes(self) -> str:
        """Patient direction that each of I, J, K mostly points to, for example ``"LAS"``."""
        codes, free = ["?"] * 3, [0, 1, 2]
        order = sorted(range(3), key=lambda axis: -np.abs(self.directions[:, axis]).max())
        for axis in order:
            world = max(free, key=lambda w: abs(self.directions[w, axis]))
            free.remove(world)
            codes[axis] = ("LR", "PA", "IS")[world][int(self.directions[world, axis] > 0)]
        return "".join(codes)

    @property
    def slice_axis(self) -> int:
        """Array axis (0 K, 1 J, 2 I) across the acquisition plane.

        The axis whose spacing exceeds both others by half; K when none stands out.
        """
        spacing = self.spacing_kji_mm
        widest = int(np.argmax(spacing))
        others = max(s for axis, s in enumerate(spacing) if axis != widest)
        return widest if spacing[widest] > 1.5 * others else 0

    def to_ras(self, ijk: np.ndarray) -> np.ndarray:
        """RAS in mm, (..., 3), of voxel indices ``(i, j, k)``, (..., 3)."""
        points = np.asarray(ijk, dtype=np.float64)
        return points @ self.ijk_to_ras[:3, :3].T + self.ijk_to_ras[:3, 3]

    def to_ijk(self, ras: np.ndarray) -> np.ndarray:
        """Continuous voxel indices ``(i, j, k)``, (..., 3), of RAS points in mm, (..., 3)."""
        points = np.asarray(ras, dtype=np.float64)
        inverse = self.ras_to_ijk
        return points @ inverse[:3, :3].T + inverse[:3, 3]

    def corners_ras(self) -> np.ndarray:
        """(8, 3) RAS in mm of the corner voxels' centres; I changes fastest."""
        k, j, i = (np.array(self.shape) - 1).tolist()
        return self.to_ras([(a, b, c) for c, b, a in itertools.product((0, k), (0, j), (0, i))])

    def bounds_ras(self) -> tuple[float, float, float, float, float, float]:
        """Smallest RAS box around all voxels including their extent: r0, r1, a0, a1, s0, s1 in mm."""
        k, j, i = self.shape
        edges = [(-0.5, n - 0.5) for n in (i, j, k)]
        corners = self.to_ras(list(itertools.product(*edges)))
        low, high = corners.min(axis=0), corners.max(axis=0)
        return tuple(float(v) for pair in zip(low, high) for v in pair)

    def same_grid(self, other: Geometry, tolerance_mm: float = GRID_TOLERANCE_MM) -> bool:
        """Whether both have the same shape and every corner voxel coincides within the tolerance."""
        return self.shape == other.shape and self.largest_offset_mm(other) <= tolerance_mm

    def largest_offset_mm(self, other: Geometry) -> float:
        """Largest distance in mm between equal indices, over this grid's corner voxels."""
        k, j, i = (np.array(self.shape) - 1).tolist()
        corners = list(itertools.product((0, i), (0, j), (0, k)))
        return float(np.linalg.norm(self.to_ras(corners) - other.to_ras(corners), axis=1).max())

    def describe_difference(self, other: Geometry) -> str:
        """A sentence for a person on how `other` differs from this grid; empty when it does not."""
        if self.same_grid(other):
            return ""
        reasons = []
        if self.shape != other.shape:
            reasons.append(f"the matrix is {_by(other.shape[::-1])} instead of {_by(self.shape[::-1])} voxels")
        mine, theirs = np.array(self.spacing_mm), np.array(other.spacing_mm)
        if np.abs(mine - theirs).max() > 1e-4 * mine.max():
            reasons.append(f"the voxels are {_mm(theirs)} instead of {_mm(mine)} mm")
        cosines = np.clip((self.directions * other.directions).sum(axis=0), -1, 1)
        angle = float(np.degrees(np.arccos(cosines)).max())
        if self.axis_codes != other.axis_codes:
            reasons.append(f"the axes run {other.axis_codes} instead of {self.axis_codes}")
        elif angle > 0.01:
            reasons.append(f"the axes are turned by {angle:.2f} degrees")
        shift = float(np.linalg.norm(self.origin_ras - other.origin_ras))
        if shift > GRID_TOLERANCE_MM:
            reasons.append(f"the first voxel lies {shift:.2f} mm away")
        if not reasons:
            reasons.append(f"equal indices lie up to {self.largest_offset_mm(other):.3f} mm apart")
        sentence = "; ".join(reasons)
        return sentence[0].upper() + sentence[1:] + "."


@dataclass(frozen=True)
class Origin:
    """Where a volume came from, without any identity of the patient.

    Parameters
    ----------
    files : tuple of str
        Base names of the files read (DICOM: number of files instead of names).
    sha256 : str
        SHA-256 of the file contents, or of the sorted list of them; empty when not from files.
    series : str
        Hashed SeriesInstanceUID; empty when there is none.
    frame_of_reference : str
        Hashed FrameOfReferenceUID; empty when unknown.
    native_spacing_mm : tuple of float or None
        Spacing (I, J, K) before resampling; None when the volume lies on its native grid.
    notes : tuple of str
        What a person should know: guesses, tolerated irregularities, corrections.
    """

    files: tuple[str, ...] = ()
    sha256: str = ""
    series: str = ""
    frame_of_reference: str = ""
    native_spacing_mm: tuple[float, float, float] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxel values on a grid, with what they mean.

    Parameters
    ----------
    array : (K, J, I) array_like of float32
        Voxel values in `unit`. Held as a read-only view; nothing mutates a volume.
    geometry : Geometry
        The grid; its shape equals the array's.
    modality : {"CT", "MR", "PT", "NM", "OT"}
        DICOM modality code.
    unit : Unit
        Unit of the values; unknown units are never treated as HU or SUV.
    name : str
        Name for people; never a patient's.
    source : Origin
        Where it came from.

    Raises
    ------
    UsageError
        When array and grid differ in shape, the array is not three-dimensional, or the modality is
        not one of the five.
    """

    array: np.ndarray
    geometry: Geometry
    modality: str = "OT"
    unit: Unit = UNKNOWN
    name: str = "volume"
    source: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise UsageError(f"Modality {self.modality!r} of {self.name}", "one of " + ", ".join(MODALITIES))
        array = np.asarray(self.array, dtype=np.float32)
        if array.ndim != 3:
            raise UsageError(f"{self.name} has {array.ndim} dimensions", "a scalar volume (K, J, I)")
        if array.shape != self.geometry.shape:
            raise UsageError(f"{self.name}: the array is {array.shape}", f"the grid's shape {self.geometry.shape}")
        array = array.view()
        array.flags.writeable = False
        object.__setattr__(self, "array", array)

    @property
    def is_functional(self) -> bool:
        """Whether the volume shows function (PET, SPECT) rather than anatomy."""
        return self.modality in FUNCTIONAL_MODALITIES

    def with_array(self, array: np.ndarray, **changes) -> Volume:
        """A new volume with other values; further fields by keyword."""
        return replace(self, array=array, **changes)


@dataclass(frozen=True, eq=False)
class Case:
    """Sources to be looked at together; the first one gives the reference grid.

    Parameters
    ----------
    sources : sequence of Volume
        At least one; fusion needs at least two.

    Raises
    ------
    UsageError
        When there is no source or one of them is not a Volume.
    """

    sources: Sequence[Volume]

    def __post_init__(self) -> None:
        sources = tuple(self.sources)
        if not sources:
            raise UsageError("A case without sources", "at least one volume")
        for source in sources:
            if not isinstance(source, Volume):
                raise UsageError(f"A source of type {type(source).__name__}", "a Volume, as read_volume returns it")
        object.__setattr__(self, "sources", sources)

    @property
    def reference(self) -> Volume:
        """The source on whose grid everything is fused."""
        return self.sources[0]

    @property
    def pair_code(self) -> str:
        """Modalities joined by a hyphen in source order, for example ``"MR-PT"``."""
        return "-".join(source.modality for source in self.sources)


def _by(numbers: Sequence[int]) -> str:
    return " x ".join(str(n) for n in numbers)


def _mm(numbers: Sequence[float]) -> str:
    return " x ".join(f"{n:.4g}" for n in numbers)
