"""The series that an export belongs to: its headers, trimmed and checked, and its grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.errors import MedFusionError, NotSupported, UnreadableFile
from MedFusionLib.io.dicom import chosen_part
from MedFusionLib.io.dicom_export.headers import check_uids, illegal, shorten, state_spacing, trimmed
from MedFusionLib.io.dicom_export.quiet import quiet
from MedFusionLib.io.dicom_files import Series, find_series
from MedFusionLib.io.dicom_stack import stack_frames
from MedFusionLib.io.identity import hashed_uid
from MedFusionLib.io.suv_audit import audit_suv
from MedFusionLib.volume import Geometry

if TYPE_CHECKING:
    from pydicom import Dataset

ALWAYS_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81")
"""JPEG baseline, JPEG extended, JPEG-LS near-lossless."""


@dataclass(frozen=True)
class LossyHistory:
    """Whether images were compressed with loss, and the stated pairs of ratio and method, oldest first."""

    was_lossy: bool
    steps: tuple[tuple[float, str], ...]


@dataclass(frozen=True, eq=False)
class Reference:
    """A series that a derived object refers to.

    Parameters
    ----------
    headers : tuple of Dataset
        One per slice in the order of the grid's K axis (or one for a multi-frame object), without
        pixels and private elements, text decoded.
    geometry : Geometry
        The grid of the series.
    frames : tuple of int
        For a multi-frame object, the number of the frame that is slice 0, 1, 2 ... of the grid.
    suv_factor : float or None
        From the values that the series' own rescale gives to SUVbw; None for other modalities and
        where the series lacks what SUV needs.
    warnings : tuple of str
        What had to be mended in the headers.
    """

    headers: tuple[Dataset, ...]
    geometry: Geometry
    frames: tuple[int, ...] = ()
    suv_factor: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def first(self) -> Dataset:
        """The header that stands for patient, study and series."""
        return self.headers[0]

    @property
    def is_multiframe(self) -> bool:
        """Whether the series is one multi-frame object."""
        return "PerFrameFunctionalGroupsSequence" in self.first

    @cached_property
    def positions(self) -> np.ndarray:
        """Centre of the first voxel of every slice, (K, 3) float64 in LPS mm."""
        if not self.is_multiframe:
            return np.array([header.ImagePositionPatient for header in self.headers], float)
        steps = np.arange(self.geometry.shape[0])[:, None] * self.geometry.ijk_to_ras[:3, 2]
        return (self.geometry.origin_ras + steps) * (-1, -1, 1)

    @cached_property
    def lossy(self) -> LossyHistory:
        """What is stated about lossy compression, or told by the transfer syntax."""
        was_lossy, steps = False, {}
        for header in self.headers:
            if str(header.get("LossyImageCompression") or "") == "01":
                was_lossy = True
                ratios, methods = (_listed(header.get("LossyImageCompression" + what)) for what in ("Ratio", "Method"))
                steps.update(((float(ratio), str(method)), None) for ratio, method in zip(ratios, methods))
            was_lossy |= str(getattr(header, "file_meta", {}).get("TransferSyntaxUID", "")) in ALWAYS_LOSSY
        return LossyHistory(was_lossy, tuple(steps))

    def image(self, number: int) -> Dataset:
        """A reference to the instance (and frame) that is slice `number`."""
        from pydicom import Dataset

        header = self.headers[0 if self.is_multiframe else number]
        item = Dataset()
        item.ReferencedSOPClassUID = header.SOPClassUID
        item.ReferencedSOPInstanceUID = header.SOPInstanceUID
        if self.is_multiframe:
            item.ReferencedFrameNumber = self.frames[number]
        return item

    @property
    def modality(self) -> str:
        """DICOM modality."""
        return str(self.first.get("Modality") or "OT")

    @property
    def series(self) -> str:
        """SeriesInstanceUID, hashed as volumes carry it."""
        return hashed_uid(self.first.SeriesInstanceUID)

    @property
    def frame_of_reference(self) -> str:
        """FrameOfReferenceUID, hashed as volumes carry it."""
        return hashed_uid(self.first.FrameOfReferenceUID)


def read_reference(path: str | Path) -> Reference:
    """The one image series in a folder, as the reference of an export.

    Raises
    ------
    UnreadableFile
        When there is not exactly one series with one study, a frame of reference and valid UIDs, or
        it makes no regular grid.
    NotSupported
        For a series that the reader refuses (tilted gantry ...).
    """
    path = Path(path)
    if not path.exists():
        raise UnreadableFile(f"No folder {path.name}", "a folder with one DICOM image series")
    series = find_series(path)
    if len(series) != 1:
        raise UnreadableFile(
            f"{path.name} holds {len(series)} DICOM image series", "one series", "Give the folder of one of them"
        )
    try:
        with quiet():
            return _reference(series[0])
    except MedFusionError:
        raise
    except Exception as error:
        raise UnreadableFile(
            f"The {series[0].modality} series has invalid header values ({type(error).__name__})",
            "a valid DICOM series",
        ) from error


def _reference(series: Series) -> Reference:
    stack = stack_frames(f"The {series.modality} series", chosen_part(series, None))
    if stack.tilt_degrees:
        raise NotSupported(
            f"The {series.modality} series was taken with a gantry tilted by {stack.tilt_degrees:.1f} degrees",
            "slices at right angles to their stack", "Refer to another series of the study",
        )  # fmt: skip
    geometry, found = stack.geometry, [frame.header for frame in stack.frames]
    frames: tuple[int, ...] = ()
    if "PerFrameFunctionalGroupsSequence" in found[0].dataset:
        if any(header is not found[0] for header in found):
            raise NotSupported(f"The {series.modality} series is spread over several multi-frame objects", "one object")
        frames, found = tuple(frame.number + 1 for frame in stack.frames), found[:1]
    headers = tuple(trimmed(header.dataset) for header in found)
    label = f"The {series.modality} series"
    check_uids(label, headers)
    if frames:
        _share_groups(headers[0])
    for header in headers:
        state_spacing(header, geometry.spacing_mm[2])
    if len({header.StudyInstanceUID for header in headers}) > 1:
        raise UnreadableFile(f"{label} belongs to more than one study", "one StudyInstanceUID")
    factor = _suv_factor(series.modality, [header.dataset for header in found])
    mended = {f"{word}: cut, being longer than DICOM allows" for header in headers for word in shorten(header)}
    mended |= {f"{word}: left empty, having no legal form" for word in illegal(found[0].dataset)}
    warnings = tuple(f"The {series.modality} series, {text}" for text in sorted(mended))
    return Reference(headers, geometry, frames, factor, tuple(warnings))


def _suv_factor(modality: str, datasets: list[Dataset]) -> float | None:
    if modality != "PT":
        return None
    try:
        return audit_suv(datasets).factor
    except MedFusionError:  # the objects do not need it, only a window in SUV would
        return None


def _share_groups(header: Dataset) -> None:
    """State once what all frames share (it was checked), where highdicom looks for it."""
    shared, first = header.SharedFunctionalGroupsSequence[0], header.PerFrameFunctionalGroupsSequence[0]
    for group in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        if group not in shared:
            shared[group] = first[group]


def _listed(value) -> list:
    """Values of an element of any multiplicity."""
    if value is None or value == "":
        return []
    return [value] if isinstance(value, (str, float)) else list(value)
