"""Contours of an RT Structure Set as labels on the grid of the images they were drawn on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MedFusionLib.errors import MedFusionError, NotSupported, UnreadableFile, UsageError
from MedFusionLib.io.dicom_files import read_header, without_quotes
from MedFusionLib.io.identity import file_digest, hashed_uid, name_without_patient
from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.volume import Geometry, Origin, Volume

STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
MOST_POINTS = 20_000_000
OFF_PLANE = 0.3
"""A contour belongs to a slice when all its points lie within this part of a slice from it."""
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")


@dataclass(frozen=True)
class Region:
    """One region of interest: its number and name in the file, colour in 0..1, frame of reference (hashed)."""

    number: int
    name: str
    colour: tuple[float, float, float]
    frame_of_reference: str
    contours: tuple[np.ndarray, ...]


def read_contours(path: str | Path, reference: Volume, names: Sequence[str] | None = None) -> Segmentation:
    """Fill the contours of a structure set on the grid of a volume.

    A voxel is inside when its centre is (even-odd rule, so a contour within a contour is a hole). Where regions
    overlap, the later one counts.

    Parameters
    ----------
    path : path
        One DICOM file, an RT Structure Set.
    reference : Volume
        The images that the contours were drawn on; its grid is the grid of the result.
    names : sequence of str or None
        Regions to read, in this order; all of them by default.

    Returns
    -------
    Segmentation
        Labels 1, 2 ... in the order of the regions.

    Raises
    ------
    UnreadableFile
        When the file is broken or no structure set, or lies in another frame of reference.
    NotSupported
        When contours do not lie in the slices of the grid (rule CONTOUR_PLANE).
    UsageError
        When there is no region of a name.
    """
    path = Path(path)
    header = read_header(path)
    if header.kind != STRUCTURE_SET:
        raise UnreadableFile(f"{path.name} is no RT Structure Set", "an RT Structure Set")
    try:
        with without_quotes():
            regions = _chosen(_regions(path.name, header.dataset), names)
            return _filled(path, regions, reference)
    except MedFusionError:
        raise
    except Exception as error:
        raise UnreadableFile(
            f"{path.name} is not a readable RT Structure Set ({type(error).__name__})", "a valid structure set"
        ) from error


def _regions(label: str, dataset) -> list[Region]:
    named = {int(item.ROINumber): item for item in dataset.get("StructureSetROISequence") or ()}
    regions, points = [], 0
    for item in dataset.get("ROIContourSequence") or ():
        roi = named.get(int(item.ReferencedROINumber))
        contours = tuple(_closed_contours(label, item))
        points += sum(map(len, contours))
        if points > MOST_POINTS:
            raise UnreadableFile(f"{label} has more than {MOST_POINTS} points", "fewer")
        if roi is not None and contours:
            colour = tuple(float(v) / 255 for v in item.get("ROIDisplayColor") or (0, 230, 51))
            frame = hashed_uid(roi.get("ReferencedFrameOfReferenceUID"))
            number = int(roi.ROINumber)
            name = name_without_patient(dataset, str(roi.get("ROIName", "") or ""), f"Region {number}")
            regions.append(Region(number, name, colour, frame, contours))
    if not 1 <= len(regions) <= 255:
        raise UnreadableFile(f"{label} has {len(regions)} regions with closed contours", "1 to 255")
    return regions


def _closed_contours(label: str, item) -> Iterator[np.ndarray]:
    """(n, 3) points in RAS, mm."""
    for contour in item.get("ContourSequence") or ():
        if str(contour.get("ContourGeometricType", "")).upper() not in _CLOSED:
            continue
        points = np.array(contour.ContourData, dtype=np.float64)
        if len(points) < 9 or len(points) % 3 or not np.isfinite(points).all():
            raise UnreadableFile(f"{label} has a contour of {len(points)} numbers", "three or more points of x, y, z")
        yield points.reshape(-1, 3) * (-1, -1, 1)


def _chosen(regions: list[Region], names: Sequence[str] | None) -> list[Region]:
    if names is None:
        return regions
    by_name = {region.name: region for region in regions}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise UsageError(f"No region {missing[0]!r}", "one of " + ", ".join(by_name))
    return [by_name[name] for name in names]


def _filled(path: Path, regions: Sequence[Region], reference: Volume) -> Segmentation:
    own = reference.source.frame_of_reference
    other = {region.frame_of_reference for region in regions} - {own, ""}
    if own and other:
        raise UnreadableFile(
            f"{path.name} was drawn in another frame of reference than {reference.name}", "contours of these images",
            "Choose the series that the structure set refers to",
        )  # fmt: skip
    labels = np.zeros(reference.geometry.shape, np.uint8)
    outside = 0
    for label, region in enumerate(regions, start=1):
        mask = np.zeros(labels.shape, bool)
        for contour in region.contours:
            outside += not _fill(path.name, mask, contour, reference.geometry)
        labels[mask] = label
    notes = (f"{outside} contours lie outside the slices of {reference.name}",) if outside else ()
    origin = Origin(("1 DICOM file",), file_digest(path), frame_of_reference=own, notes=notes)
    segments = tuple(Segment(label, region.name, region.colour) for label, region in enumerate(regions, start=1))
    return Segmentation(labels, reference.geometry, segments, source=origin)


def _fill(label: str, mask: np.ndarray, contour: np.ndarray, geometry: Geometry) -> bool:
    """Turn over what lies inside a contour, (n, 3) in RAS; False when it lies above or below the grid."""
    points = geometry.to_ijk(contour)
    middle = float(np.median(points[:, 2]))
    place = round(middle)
    if np.abs(points[:, 2] - middle).max() > OFF_PLANE:
        raise NotSupported(
            f"{label} has contours across the slices of the grid (rule CONTOUR_PLANE)",
            "contours in the planes of the reference", "Give the series that they were drawn on as the reference",
        )  # fmt: skip
    if not 0 <= place < len(mask):
        return False
    if abs(middle - place) > OFF_PLANE:
        raise NotSupported(
            f"{label} has contours between the slices of the grid (rule CONTOUR_PLANE)",
            "contours in the planes of the reference", "Give the series that they were drawn on as the reference",
        )  # fmt: skip
    mask[place] ^= inside_polygon(points[:, :2], mask.shape[1:])
    return True


def inside_polygon(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels whose centre lies inside a closed polygon, by the even-odd rule.

    Parameters
    ----------
    points : (n, 2) float array
        Vertices as (column, row) in pixels; pixel centres are whole numbers.
    shape : (rows, columns)
        Size of the image.

    Returns
    -------
    (rows, columns) bool
    """
    inside = np.zeros(shape, bool)
    x0, y0 = points.T
    x1, y1 = np.roll(points, -1, axis=0).T
    first, last = max(0, int(np.ceil(y0.min()))), min(shape[0] - 1, int(np.floor(y0.max())))
    for row in range(first, last + 1):
        crossing = (y0 <= row) != (y1 <= row)
        at = np.sort(x0[crossing] + (row - y0[crossing]) / (y1 - y0)[crossing] * (x1 - x0)[crossing])
        for begin, end in zip(at[::2], at[1::2]):
            inside[row, max(0, int(np.ceil(begin))) : max(0, int(np.ceil(end)))] = True
    return inside
