"""DICOM Segmentation objects (binary, fractional, label map) as labels, through highdicom."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MedFusionLib.errors import MedFusionError, NotSupported, UnreadableFile, UsageError
from MedFusionLib.io.checks import checked_geometry
from MedFusionLib.io.dicom_files import SEGMENTATIONS, Header, read_header, without_quotes
from MedFusionLib.io.dicom_frames import finite_numbers, number_of_frames
from MedFusionLib.io.dicom_groups import lookup
from MedFusionLib.io.dicom_stack import LPS_TO_RAS
from MedFusionLib.io.identity import file_digest, hashed_uid, name_without_patient
from MedFusionLib.io.limits import check_size
from MedFusionLib.segmentation import Code, Segment, Segmentation
from MedFusionLib.volume import Origin

MOST_SEGMENTS = 255
INSIDE_FROM = 0.5
"""Share of a voxel from which a fractional segment counts as inside."""


def read_dicom_segmentation(path: str | Path, segment: int | None = None) -> Segmentation:
    """Labels of a DICOM Segmentation on their own grid; slices that the object leaves out are background.

    Parameters
    ----------
    path : path
        One DICOM file.
    segment : int or None
        Read only the segment of this number; needed when segments overlap.

    Returns
    -------
    Segmentation
        With names, colours and codes as stated. Label values are the segment numbers.

    Raises
    ------
    UnreadableFile
        When the file is broken or not a segmentation, or its frames make no regular grid.
    NotSupported
        When segments overlap and none was chosen.
    UsageError
        When there is no segment of this number.
    """
    path = Path(path)
    header = read_header(path)
    if header.kind not in SEGMENTATIONS:
        raise UnreadableFile(f"{path.name} is no DICOM Segmentation", "a Segmentation object")
    try:
        with without_quotes():
            _check_size(header)
            return _read(path, segment)
    except MedFusionError:
        raise
    except Exception as error:
        raise UnreadableFile(
            f"{path.name} is not a readable DICOM Segmentation ({type(error).__name__})", "a valid Segmentation object",
            "Export it again",
        ) from error  # fmt: skip


def _read(path: Path, segment: int | None) -> Segmentation:
    import highdicom

    found = highdicom.seg.segread(str(path))
    described = {int(d.SegmentNumber): d for d in found.SegmentSequence if int(d.SegmentNumber) > 0}
    wanted = sorted(described) if segment is None else [segment]
    if segment is not None and segment not in described:
        raise UsageError(f"Segment {segment} of {path.name}", f"one of {sorted(described)}")
    notes: list[str] = []
    labels, affine = _labels(path, found, wanted, notes)
    geometry = checked_geometry(path.name, labels.shape, LPS_TO_RAS @ np.asarray(affine, float)[:, [2, 1, 0, 3]])
    origin = Origin(
        files=("1 DICOM file",), sha256=file_digest(path), series=hashed_uid(found.get("SeriesInstanceUID")),
        frame_of_reference=hashed_uid(found.get("FrameOfReferenceUID")), notes=tuple(notes),
    )  # fmt: skip
    return Segmentation(labels, geometry, tuple(_segment(found, described[n]) for n in wanted), source=origin)


def _labels(path: Path, found, wanted: list[int], notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Labels (K, J, I) uint8 and highdicom's matrix from array index to LPS."""
    kind = str(found.SegmentationType)
    if kind == "FRACTIONAL":
        volume = found.get_volume(segment_numbers=wanted, combine_segments=False)
        shares = volume.array.reshape(*volume.spatial_shape, len(wanted))
        labels = np.where(shares.max(axis=-1) >= INSIDE_FROM, np.array(wanted)[shares.argmax(axis=-1)], 0)
        notes.append(f"fractional segments: inside from a share of {INSIDE_FROM:g}")
        return labels.astype(np.uint8), volume.affine
    try:
        volume = found.get_volume(segment_numbers=wanted, combine_segments=True)
    except RuntimeError as error:
        raise NotSupported(
            f"{path.name} has overlapping segments (rule OVERLAPPING_SEGMENTS)", "one label per voxel",
            f"Choose one of the segments {wanted}",
        ) from error  # fmt: skip
    return volume.array.astype(np.uint8), volume.affine


def _check_size(header: Header) -> None:
    """Caps before highdicom builds the volume, empty slices and all segments included."""
    dataset, label = header.dataset, header.path.name
    count = len(dataset.get("SegmentSequence") or ())
    if not 1 <= count <= MOST_SEGMENTS + 1:
        raise UnreadableFile(f"{label} has {count} segments", f"1 to {MOST_SEGMENTS}")
    frames = number_of_frames(dataset)
    orientation = finite_numbers(label, lookup(dataset, 0, "ImageOrientationPatient"), "ImageOrientationPatient", 6)
    normal = np.cross(orientation[:3], orientation[3:])
    positions = [finite_numbers(label, lookup(dataset, n, "ImagePositionPatient"), "ImagePositionPatient", 3)
                 for n in range(frames)]  # fmt: skip
    depths = np.unique(np.round(np.array(positions) @ normal, 3))
    steps = np.diff(depths)
    slices = 1 + int((depths[-1] - depths[0]) / steps.min() + 0.5) if len(depths) > 1 else 1
    check_size(label, (slices, int(dataset.Rows), int(dataset.Columns)), 4 * count)


def _segment(dataset, described) -> Segment:
    colour = described.get("RecommendedDisplayCIELabValue")
    extra = {"colour": _rgb([float(v) for v in colour])} if colour is not None and len(colour) == 3 else {}
    for field, keyword in (
        ("type_code", "SegmentedPropertyTypeCodeSequence"),
        ("category_code", "SegmentedPropertyCategoryCodeSequence"),
    ):
        items = described.get(keyword)
        if items:
            code = items[0]
            extra[field] = Code(str(code.CodeValue), str(code.get("CodeMeaning", "")), str(code.CodingSchemeDesignator))
    number = int(described.SegmentNumber)
    name = name_without_patient(dataset, str(described.get("SegmentLabel", "") or ""), f"Segment {number}")
    return Segment(number, name, **extra)


def _rgb(stored: list[float]) -> tuple[float, float, float]:
    """CIELab as DICOM scales it (PS3.3 C.10.7.1.1; D50 white point) to sRGB in 0..1."""
    lightness, a, b = stored[0] * 100 / 65535, stored[1] * 255 / 65535 - 128, stored[2] * 255 / 65535 - 128
    middle = (lightness + 16) / 116
    ratios = np.array([middle + a / 500, middle, middle - b / 200])
    linear = np.where(ratios > 6 / 29, ratios**3, 3 * (6 / 29) ** 2 * (ratios - 4 / 29))
    xyz = linear * (0.9642, 1.0, 0.8249)
    to_rgb = (
        (3.1338561, -1.6168667, -0.4906146),
        (-0.9787684, 1.9161415, 0.0334540),
        (0.0719453, -0.2289914, 1.4052427),
    )
    rgb = np.clip(np.array(to_rgb) @ xyz, 0, 1)
    rgb = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
    return tuple(round(float(v), 4) for v in rgb)
