"""Secondary Capture with geometry: colour pictures and 16-bit grey that keeps the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.io.dicom_export import objects
from MedFusionLib.io.dicom_export.banner import draw_banner
from MedFusionLib.io.dicom_export.planes import Placement, check_shape
from MedFusionLib.io.dicom_export.reference import Reference
from MedFusionLib.io.dicom_export.stamp import Stamp, new_uid
from MedFusionLib.io.dicom_export.stream import FrameStream

if TYPE_CHECKING:
    from pydicom import Dataset

SINGLE = "1.2.840.10008.5.1.4.1.1.7"
MULTIFRAME_GREY = "1.2.840.10008.5.1.4.1.1.7.3"
MULTIFRAME_COLOUR = "1.2.840.10008.5.1.4.1.1.7.4"
LARGEST = 65535


def colour_slices(
    colour: np.ndarray, placement: Placement, references: tuple[Reference, ...], stamp: Stamp, *, banner: bool = False
) -> Iterator[Dataset]:
    """One RGB Secondary Capture per slice, made when it is asked for.

    Parameters
    ----------
    colour : (K, J, I, 3) uint8
        On the grid that was placed.
    placement : Placement
        From `planes.place`.
    references : tuple of Reference
        The series it lies on, then those of further sources.
    stamp : Stamp
        Kind ``"sc"``.
    banner : bool
        Whether to draw the research mark into the pixels (BurnedInAnnotation YES).
    """
    check_shape("The colour volume", placement.apply(colour), placement.geometry)
    for number, pixels in enumerate(placement.apply(colour)):
        pixels = draw_banner(pixels) if banner else np.ascontiguousarray(pixels)
        dataset = _slice(placement, number, references, stamp, burned_in=banner)
        _describe_colour(dataset, pixels)
        dataset.PixelData = _even(pixels.tobytes())
        yield dataset


def grey_slices(
    values: np.ndarray, placement: Placement, references: tuple[Reference, ...], stamp: Stamp
) -> Iterator[Dataset]:
    """One 16-bit grey Secondary Capture per slice, with a modality LUT back to the values.

    Parameters
    ----------
    values : (K, J, I) float32
        Fusion index on the grid that was placed.
    placement, references, stamp
        As for `colour_slices`; kind ``"sc-grey"``.
    """
    check_shape("The fused volume", placement.apply(values), placement.geometry)
    slope, intercept = scale_of(values)
    window = linear_window(values)
    for number, part in enumerate(placement.apply(values)):
        dataset = _slice(placement, number, references, stamp, burned_in=False)
        _describe_grey(dataset, part.shape)
        _add_scale(dataset, slope, intercept)
        dataset.RealWorldValueMappingSequence = [objects.fusion_index_mapping((0, LARGEST), slope, intercept)]
        dataset.WindowCenter, dataset.WindowWidth = window
        dataset.PixelData = _even(_stored(part, slope, intercept).tobytes())
        yield dataset


def colour_multiframe(
    colour: np.ndarray, placement: Placement, references: tuple[Reference, ...], stamp: Stamp, *, banner: bool = False
) -> Dataset:
    """The colour volume as one Multi-frame True Color Secondary Capture; arguments as for `colour_slices`."""
    placed = placement.apply(colour)
    check_shape("The colour volume", placed, placement.geometry)
    dataset = _multiframe(MULTIFRAME_COLOUR, placement, references, stamp, burned_in=banner)
    _describe_colour(dataset, placed[0])
    dataset.PixelData = FrameStream(
        lambda number: (draw_banner(placed[number]) if banner else placed[number]).tobytes(),
        placed[0].size, len(placed),
    )  # fmt: skip
    return dataset


def grey_multiframe(
    values: np.ndarray, placement: Placement, references: tuple[Reference, ...], stamp: Stamp
) -> Dataset:
    """The fused volume as one Multi-frame Grayscale Word Secondary Capture; arguments as for `grey_slices`."""
    from pydicom import Dataset

    placed = placement.apply(values)
    check_shape("The fused volume", placed, placement.geometry)
    slope, intercept = scale_of(values)
    dataset = _multiframe(MULTIFRAME_GREY, placement, references, stamp, burned_in=False)
    _describe_grey(dataset, placed.shape[1:])
    shared, change, window = dataset.SharedFunctionalGroupsSequence[0], Dataset(), Dataset()
    _add_scale(dataset, slope, intercept)
    _add_scale(change, slope, intercept)
    shared.RealWorldValueMappingSequence = [objects.fusion_index_mapping((0, LARGEST), slope, intercept)]
    window.WindowCenter, window.WindowWidth = linear_window(values)
    shared.PixelValueTransformationSequence, shared.FrameVOILUTSequence = [change], [window]
    dataset.PixelData = FrameStream(
        lambda number: _stored(placed[number], slope, intercept).tobytes(), 2 * placed[0].size, len(placed)
    )
    return dataset


def scale_of(values: np.ndarray) -> tuple[float, float]:
    """Slope and intercept, as they are written, from 16 bits to the values.

    The fusion index 0..1 is covered whole, so that every slice and every result has one scale: a step
    is 1/65535 and the largest error half of it.
    """
    low, high = min(0.0, float(values.min())), max(1.0, float(values.max()))
    slope, intercept = (float(text) for text in objects.decimals([(high - low) / LARGEST, low]))
    return slope, intercept


def linear_window(values: np.ndarray) -> tuple[str, str]:
    """Centre and width that show the whole range.

    PS3.3 C.11.2.1.2: the LINEAR function maps ``centre - 0.5 -/+ (width - 1) / 2``, and a width under 1 is
    not allowed; so 0..1 is written as centre 1, width 2.
    """
    low, high = min(0.0, float(values.min())), max(1.0, float(values.max()))
    centre, width = objects.decimals([(low + high) / 2 + 0.5, high - low + 1])
    return centre, width


def _slice(placement: Placement, number: int, references, stamp: Stamp, *, burned_in: bool) -> Dataset:
    """A single-frame Secondary Capture without pixels."""
    dataset = objects.empty_object(SINGLE, "OT", references[0], stamp, number + 1)
    _describe_capture(dataset, references, stamp, burned_in=burned_in)
    objects.add_plane(dataset, placement.planes, number)
    objects.add_references(dataset, objects.source_items(placement.planes, number, references))
    return dataset


def _multiframe(sop_class: str, placement: Placement, references, stamp: Stamp, *, burned_in: bool) -> Dataset:
    """A multi-frame Secondary Capture without pixels, its geometry in functional groups."""
    from pydicom import Dataset
    from pydicom.datadict import tag_for_keyword

    planes = placement.volume_planes
    dataset = objects.empty_object(sop_class, "OT", references[0], stamp)
    _describe_capture(dataset, references, stamp, burned_in=burned_in)
    dataset.NumberOfFrames = len(planes.positions)
    dataset.FrameIncrementPointer = tag_for_keyword("PerFrameFunctionalGroupsSequence")
    dataset.PatientOrientation = [objects.towards(planes.orientation[:3]), objects.towards(planes.orientation[3:])]
    objects.add_references(dataset, objects.all_source_items(planes, references))
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = objects.decimals(planes.spacing)
    measures.SliceThickness, measures.SpacingBetweenSlices = objects.decimals([planes.step, planes.step])
    orientation.ImageOrientationPatient = objects.decimals(planes.orientation)
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame_groups(position, number) for number, position in enumerate(planes.positions)
    ]
    _add_dimensions(dataset)
    return dataset


def _frame_groups(position: np.ndarray, number: int) -> Dataset:
    from pydicom import Dataset

    groups, content, place = Dataset(), Dataset(), Dataset()
    content.StackID, content.InStackPositionNumber, content.DimensionIndexValues = "1", number + 1, [1, number + 1]
    place.ImagePositionPatient = objects.decimals(position)
    groups.FrameContentSequence, groups.PlanePositionSequence = [content], [place]
    return groups


def _add_dimensions(dataset: Dataset) -> None:
    """Frames are ordered by stack and by position in it."""
    from pydicom import Dataset
    from pydicom.datadict import tag_for_keyword

    organisation, uid = Dataset(), new_uid()
    organisation.DimensionOrganizationUID = uid
    dataset.DimensionOrganizationSequence = [organisation]
    dataset.DimensionIndexSequence = []
    for keyword, label in (("StackID", "Stack"), ("InStackPositionNumber", "Position in stack")):
        index = Dataset()
        index.DimensionOrganizationUID = uid
        index.DimensionIndexPointer = tag_for_keyword(keyword)
        index.FunctionalGroupPointer = tag_for_keyword("FrameContentSequence")
        index.DimensionDescriptionLabel = label
        dataset.DimensionIndexSequence.append(index)
    dataset.DimensionOrganizationType = "3D"


def _describe_capture(dataset: Dataset, references, stamp: Stamp, *, burned_in: bool) -> None:
    dataset.ImageType = ["DERIVED", "SECONDARY", "FUSED"]
    dataset.ConversionType = "WSD"
    dataset.DateOfSecondaryCapture, dataset.TimeOfSecondaryCapture = stamp.made.date(), stamp.made.time()
    dataset.ImageComments = stamp.derivation
    objects.add_frame_of_reference(dataset, references[0])
    objects.finish_image(dataset, references, stamp, burned_in=burned_in)


def _describe_colour(dataset: Dataset, pixels: np.ndarray) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    _describe_matrix(dataset, pixels.shape, 8)


def _describe_grey(dataset: Dataset, shape: tuple[int, ...]) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PresentationLUTShape = "IDENTITY"
    _describe_matrix(dataset, shape, 16)


def _describe_matrix(dataset: Dataset, shape: tuple[int, ...], bits: int) -> None:
    dataset.Rows, dataset.Columns = shape[:2]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits, bits - 1, 0


def _add_scale(dataset: Dataset, slope: float, intercept: float) -> None:
    """The modality LUT, which has no word for the unit."""
    dataset.RescaleSlope, dataset.RescaleIntercept = objects.decimals([slope, intercept])
    dataset.RescaleType = "US"


def _stored(values: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    return np.clip(np.rint((values.astype(np.float64) - intercept) / slope), 0, LARGEST).astype("<u2")


def _even(pixels: bytes) -> bytes:
    return pixels if len(pixels) % 2 == 0 else pixels + b"\0"
