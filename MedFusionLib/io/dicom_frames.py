"""The single images of a series, whether each has its file or many share one: place, scale, and what tells them apart.

After DICOM PS3.3: image plane module (C.7.6.2), multi-frame functional groups (C.7.6.16), NM reconstruction (C.8.4.15).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.errors import NotSupported, UnreadableFile
from MedFusionLib.io.dicom_files import SEGMENTATIONS, Header, Series
from MedFusionLib.io.dicom_groups import LEGACY_CONVERTED, has_groups, item_list, lookup
from MedFusionLib.io.dicom_real_world import real_world_of
from MedFusionLib.io.limits import MOST_SAMPLES_PER_AXIS
from MedFusionLib.units import Unit

if TYPE_CHECKING:
    from pydicom import Dataset

NUCLEAR_MEDICINE = "1.2.840.10008.5.1.4.1.1.20"
PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
MOST_FRAMES = 16 * MOST_SAMPLES_PER_AXIS
_RECONSTRUCTED = "RECON TOMO"
APART = {
    "echo": ("EchoNumbers", "EchoTime", "EffectiveEchoTime"),
    "time point": ("TemporalPositionIdentifier", "TemporalPositionIndex", "FrameReferenceTime"),
    "b-value": ("DiffusionBValue",),
    "phase": (
        "TriggerTime", "NominalPercentageOfCardiacPhase", "NominalPercentageOfRespiratoryPhase",
        "CardiacNumberOfImages",
    ),
    "kind of image": ("ImageType", "FrameType"),
    "stack": ("StackID",),
    "acquisition": ("AcquisitionNumber", "AcquisitionTime"),
}  # fmt: skip
"""What may tell images at one place apart, in the order in which it is tried."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a series.

    Parameters
    ----------
    header : Header
        The file.
    number : int
        Which image of the file, from 0.
    position : (3,) array
        Centre of the first pixel in LPS, mm.
    orientation : (2, 3) array
        Direction of increasing column index, and of increasing row index, in LPS.
    spacing : (2,) array
        Between rows and between columns, mm.
    slope, intercept : float
        From stored pixels to values.
    unit : Unit or None
        Unit of the values, where the frame maps its pixels to the real world.
    """

    header: Header
    number: int
    position: np.ndarray
    orientation: np.ndarray
    spacing: np.ndarray
    slope: float
    intercept: float
    unit: Unit | None = None

    def value(self, keyword: str):
        """An element of this frame: from its functional groups, the shared ones, or the top; None when absent."""
        return lookup(self.header.dataset, self.number, keyword)

    @property
    def matrix(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.header.dataset.Rows), int(self.header.dataset.Columns)

    @property
    def is_localiser(self) -> bool:
        """Whether the frame is an overview from which slices were planned."""
        return "LOCALIZER" in self.kind

    @property
    def kind(self) -> tuple[str, ...]:
        """Image type in capitals."""
        return tuple(str(part).upper() for part in self.value("FrameType") or self.value("ImageType") or ())


def frames_of(series: Series) -> list[Frame]:
    """All images of a series, in the order of its files.

    Raises
    ------
    UnreadableFile
        When a file has no valid place in the patient, or is a picture in colour.
    NotSupported
        For objects whose pixels are no values in slices of a patient.
    """
    label = f"The {series.modality} series"
    return [frame for header in series.headers for frame in _frames_of_file(label, header)]


def number_of_frames(dataset: Dataset) -> int:
    """How many images a file says it holds."""
    count = int(dataset.get("NumberOfFrames", 1) or 1)
    if not 1 <= count <= MOST_FRAMES:
        raise UnreadableFile(f"A file says it holds {count} frames", f"1 to {MOST_FRAMES}")
    return count


def _frames_of_file(label: str, header: Header) -> Iterator[Frame]:
    dataset = header.dataset
    _check_kind(label, header)
    count = number_of_frames(dataset)
    if has_groups(dataset):
        stated = len(dataset.PerFrameFunctionalGroupsSequence)
        if stated != count:
            raise UnreadableFile(f"{label} describes {stated} frames but holds {count}", "one description per frame")
    elif header.kind == NUCLEAR_MEDICINE and ("SliceVector" in dataset or count > 1):
        yield from _nuclear_frames(label, header, count)
        return
    elif count > 1:
        raise NotSupported(
            f"{label} is a multi-frame object that does not say where its frames lie", "functional groups per frame",
            "Export it as single frames",
        )  # fmt: skip
    for number in range(count):
        yield _frame(label, header, number)


def _frame(label: str, header: Header, number: int) -> Frame:
    def numbers(keyword: str, count: int) -> np.ndarray:
        return finite_numbers(label, lookup(header.dataset, number, keyword), keyword, count)

    return Frame(
        header, number, numbers("ImagePositionPatient", 3), _directions(label, numbers("ImageOrientationPatient", 6)),
        _spacing(label, numbers("PixelSpacing", 2)), *_scale(label, header, number),
    )  # fmt: skip


def _nuclear_frames(label: str, header: Header, count: int) -> Iterator[Frame]:
    """Slices of a reconstructed SPECT: the first one is placed, the others follow along the normal."""
    dataset = header.dataset
    kind = [str(part).upper() for part in dataset.get("ImageType") or ()]
    if _RECONSTRUCTED not in kind:
        raise NotSupported(
            f"{label} is nuclear medicine of the kind {kind[2] if len(kind) > 2 else '(not stated)'}",
            "RECON TOMO: reconstructed slices", "Reconstruct it first, or choose the reconstructed series",
        )  # fmt: skip
    for keyword in ("NumberOfEnergyWindows", "NumberOfTimeSlots", "NumberOfRRIntervals"):
        if int(dataset.get(keyword, 1) or 1) > 1:
            raise NotSupported(f"{label} has {keyword} greater than 1", "one volume", "Export one of them")
    detector = (dataset.get("DetectorInformationSequence") or [{}])[0]
    first = finite_numbers(label, detector.get("ImagePositionPatient"), "ImagePositionPatient", 3)
    directions = _directions(
        label, finite_numbers(label, detector.get("ImageOrientationPatient"), "ImageOrientationPatient", 6)
    )
    [step] = finite_numbers(label, [dataset.get("SpacingBetweenSlices")], "SpacingBetweenSlices", 1)
    spacing = _spacing(label, finite_numbers(label, dataset.get("PixelSpacing"), "PixelSpacing", 2))
    places = np.atleast_1d(dataset.get("SliceVector", range(1, count + 1)))
    if len(places) != count:
        raise UnreadableFile(f"{label} places {len(places)} of {count} frames", "a SliceVector of every frame")
    for number, place in enumerate(places):
        position = first + (int(place) - 1) * step * np.cross(*directions)
        yield Frame(header, number, position, directions, spacing, *_scale(label, header, number))


def _check_kind(label: str, header: Header) -> None:
    dataset = header.dataset
    if header.kind in SEGMENTATIONS:
        raise NotSupported(f"{label} is a segmentation, no image", "an image", "Give it as the tumour or region")
    if "ModalityLUTSequence" in dataset:
        raise NotSupported(f"{label} translates its pixels by a table", "a rescale slope and intercept")
    photometric = str(dataset.get("PhotometricInterpretation", "") or "MONOCHROME2").upper()
    if int(dataset.get("SamplesPerPixel", 1) or 1) != 1 or not photometric.startswith("MONOCHROME"):
        raise UnreadableFile(
            f"{label} is in colour, probably a secondary capture", "one number per pixel",
            "Choose the original series: colours carry no quantity",
        )  # fmt: skip


def _scale(label: str, header: Header, number: int) -> tuple[float, float, Unit | None]:
    """Slope, intercept and unit: of the real world where it is mapped, else of the rescale.

    Single images of CT and PET, and what was converted from them, have their own rules for units, which a mapping must
    not bend. The numbers of a parametric map have no other meaning than the mapping's, even where its unit is not known
    here.
    """
    dataset, is_single = header.dataset, header.kind in LEGACY_CONVERTED or not has_groups(header.dataset)
    mapping = None
    if not (is_single and dataset.get("Modality") in ("CT", "PT")):
        name = "RealWorldValueMappingSequence"
        sequence = item_list(dataset, number, name) if has_groups(dataset) else dataset.get(name)
        mapping = real_world_of(sequence, any_unit=header.kind == PARAMETRIC_MAP)
    return (mapping.slope, mapping.intercept, mapping.unit) if mapping else (*_rescale(label, dataset, number), None)


def _rescale(label: str, dataset: Dataset, number: int) -> tuple[float, float]:
    slope, intercept = (
        absent if value is None else float(value)
        for value, absent in ((lookup(dataset, number, "RescaleSlope"), 1.0),
                              (lookup(dataset, number, "RescaleIntercept"), 0.0))
    )  # fmt: skip
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        raise UnreadableFile(
            f"{label} states a rescale of slope {slope:g} and intercept {intercept:g}",
            "finite numbers, and a slope other than 0",
        )
    return slope, intercept


def _directions(label: str, cosines: np.ndarray) -> np.ndarray:
    rows, columns = cosines[:3], cosines[3:]
    lengths = np.linalg.norm(rows), np.linalg.norm(columns)
    if min(lengths) < 0.9 or max(lengths) > 1.1 or abs(rows @ columns) > 0.01:
        raise UnreadableFile(
            f"{label} states directions that are not perpendicular unit vectors", "a valid orientation"
        )
    return np.stack([rows / lengths[0], columns / lengths[1]])


def _spacing(label: str, spacing: np.ndarray) -> np.ndarray:
    if spacing.min() <= 0:
        raise UnreadableFile(f"{label} states a pixel spacing of {spacing.tolist()}", "positive millimetres")
    return spacing


def finite_numbers(label: str, value, keyword: str, count: int) -> np.ndarray:
    """Finite numbers of an element, or a refusal that names it."""
    try:
        numbers = np.array([float(v) for v in value])
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise UnreadableFile(f"{label} has no valid {keyword}", f"{count} numbers in every slice")
    return numbers
