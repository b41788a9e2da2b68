"""Spatial Registration objects (REG) as matrices between frames of reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MedFusionLib.errors import MedFusionError, NotSupported, UnreadableFile
from MedFusionLib.io.dicom_files import read_header, without_quotes
from MedFusionLib.io.identity import hashed_uid
from MedFusionLib.volume import Volume

SPATIAL_REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.1"
DEFORMABLE_REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.3"
_LPS_AND_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_RIGID_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class FrameTransform:
    """How one frame of reference lies in another.

    Parameters
    ----------
    moving, reference : str
        Hashed FrameOfReferenceUIDs, as on `Origin.frame_of_reference`.
    ras_to_ras : (4, 4) array of float64
        Maps RAS in mm of the moving frame to RAS of the reference frame.
    kind : {"RIGID", "RIGID_SCALE", "AFFINE"}
        What the object says of it.
    """

    moving: str
    reference: str
    ras_to_ras: np.ndarray
    kind: str


def read_registration(path: str | Path) -> list[FrameTransform]:
    """The matrices of a Spatial Registration object, one per frame of reference that it registers.

    Matrices of one item are applied in their order (PS3.3 C.20.2.1.1).

    Raises
    ------
    UnreadableFile
        When the file is broken, no registration, or a matrix is not what its type says.
    NotSupported
        For a deformable registration.
    """
    path = Path(path)
    header = read_header(path)
    if header.kind == DEFORMABLE_REGISTRATION:
        raise NotSupported(f"{path.name} is a deformable registration", "a Spatial Registration of matrices")
    if header.kind != SPATIAL_REGISTRATION:
        raise UnreadableFile(f"{path.name} is no Spatial Registration", "a Spatial Registration object")
    try:
        with without_quotes():
            dataset = header.dataset
            reference = hashed_uid(dataset.get("FrameOfReferenceUID"))
            found = [_transform(path.name, item, reference) for item in dataset.get("RegistrationSequence") or ()]
    except MedFusionError:
        raise
    except Exception as error:
        raise UnreadableFile(
            f"{path.name} is not a readable registration ({type(error).__name__})", "a valid Spatial Registration"
        ) from error
    if not found:
        raise UnreadableFile(f"{path.name} registers nothing", "at least one matrix")
    return found


def transform_between(path: str | Path, reference: Volume, moving: Volume) -> np.ndarray:
    """Reference RAS to moving RAS, (4, 4), as a Spatial Registration object relates the frames of two volumes.

    The object maps each of its frames to one common frame, which may be that of either volume or a third one.

    Raises
    ------
    UnreadableFile
        When it does not relate the two frames, or relates them twice.
    """
    found = read_registration(path)
    to_common = {found[0].reference: [np.eye(4)]}
    for one in found:
        matrices = to_common.setdefault(one.moving, [])
        if not any(np.allclose(one.ras_to_ras, known) for known in matrices):
            matrices.append(one.ras_to_ras)
    matrices = []
    for volume in (reference, moving):
        frame = volume.source.frame_of_reference
        there = to_common.get(frame, []) if frame else []
        if len(there) != 1:
            raise UnreadableFile(
                f"{Path(path).name} says {len(there)} times where the frame of reference of {volume.name} lies", "once",
                "Choose the registration that was made of these two series",
            )  # fmt: skip
        matrices.append(there[0])
    return np.linalg.inv(matrices[1]) @ matrices[0]


def _transform(label: str, item, reference: str) -> FrameTransform:
    matrix, kinds = np.eye(4), set()
    for registration in item.get("MatrixRegistrationSequence") or ():
        for step in registration.get("MatrixSequence") or ():
            kind = str(step.get("FrameOfReferenceTransformationMatrixType", "")).upper()
            matrix = _checked(label, step.FrameOfReferenceTransformationMatrix, kind) @ matrix
            kinds.add(kind)
    kind = next((k for k in ("AFFINE", "RIGID_SCALE") if k in kinds), "RIGID")
    return FrameTransform(
        hashed_uid(item.get("FrameOfReferenceUID")), reference, _LPS_AND_RAS @ matrix @ _LPS_AND_RAS, kind
    )


def _checked(label: str, values, kind: str) -> np.ndarray:
    numbers = np.array([float(v) for v in values])
    if len(numbers) != 16 or not np.isfinite(numbers).all():
        raise UnreadableFile(f"{label} has a matrix that is not 16 finite numbers", "a 4 x 4 matrix")
    matrix = numbers.reshape(4, 4)
    if not np.allclose(matrix[3], (0, 0, 0, 1)) or np.linalg.det(matrix[:3, :3]) <= 1e-6:
        raise UnreadableFile(f"{label} has a matrix that mirrors, flattens or projects", "a proper affine matrix")
    gram = matrix[:3, :3].T @ matrix[:3, :3]
    if kind == "RIGID" and np.abs(gram - np.eye(3)).max() > _RIGID_TOLERANCE:
        raise UnreadableFile(f"{label} calls a matrix rigid that is not", "a rotation and a shift")
    if kind not in ("RIGID", "RIGID_SCALE", "AFFINE"):
        raise UnreadableFile(f"{label} has a matrix of no known type", "RIGID, RIGID_SCALE or AFFINE")
    return matrix
