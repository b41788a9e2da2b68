"""Parametric Map: the fused volume as 32-bit floats."""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.io.dicom_export import objects
from MedFusionLib.io.dicom_export.planes import Placement, Planes, check_shape
from MedFusionLib.io.dicom_export.reference import Reference
from MedFusionLib.io.dicom_export.secondary_capture import linear_window
from MedFusionLib.io.dicom_export.stamp import NOTICE, Stamp, shows_recognisable_features
from MedFusionLib.io.dicom_export.stream import FrameStream
from MedFusionLib.io.dicom_real_world import FUSION_INDEX_LABEL

if TYPE_CHECKING:
    from pydicom import Dataset


def parametric_map(
    values: np.ndarray, placement: Placement, references: tuple[Reference, ...], stamp: Stamp
) -> Dataset:
    """The fused volume as a Parametric Map, float32, ContentQualification RESEARCH.

    Parameters
    ----------
    values : (K, J, I) float32
        Fusion index on the grid that was placed; written bit by bit.
    placement : Placement
        From `planes.place`.
    references : tuple of Reference
        The series it lies on, then those of further sources in the same study.
    stamp : Stamp
        Kind ``"pm"``.

    Notes
    -----
    highdicom writes the object for frames of one voxel, and the true matrix and pixels take their
    place: so it makes no copy of the volume, and the file is written frame by frame.
    """
    import highdicom as hd
    from pydicom.uid import ExplicitVRLittleEndian

    placed = placement.apply(values)
    check_shape("The fused volume", placed, placement.geometry)
    dataset = hd.pm.ParametricMap(
        source_images=_one_per_plane(placement, references[0]),
        pixel_array=np.zeros((len(placed), 1, 1), np.float32),
        contains_recognizable_visual_features=shows_recognisable_features(references),
        real_world_value_mappings=[
            objects.fusion_index_mapping((min(0.0, float(values.min())), max(1.0, float(values.max()))))
        ],
        **_window_arguments(values),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        content_description=NOTICE,
        content_label=FUSION_INDEX_LABEL,
        content_qualification="RESEARCH",
        **geometry_arguments(placement.volume_planes),
        **stamp.series(),
        **stamp.equipment(),
    )
    stamp.mark(dataset)
    dataset.Rows, dataset.Columns = placed.shape[1:]
    order = _slices_of_frames(dataset, placement)
    dataset.FloatPixelData = FrameStream(
        lambda number: placed[order[number]].astype("<f4").tobytes(), 4 * placed[0].size, len(placed)
    )
    for number, groups in zip(order, dataset.PerFrameFunctionalGroupsSequence):
        groups.DerivationImageSequence = [_derivation(stamp, placement, number, references)]
    objects.add_references(dataset, objects.all_source_items(placement.planes, references))
    objects.finish_image(dataset, references, stamp, burned_in=False)
    return dataset


def geometry_arguments(planes: Planes) -> dict:
    """Planes as highdicom takes them."""
    import highdicom as hd

    spacing = [float(text) for text in objects.decimals([*planes.spacing, planes.step])]
    return {
        "plane_positions": [hd.PlanePositionSequence("PATIENT", position) for position in planes.positions],
        "plane_orientation": hd.PlaneOrientationSequence("PATIENT", planes.orientation),
        "pixel_measures": hd.PixelMeasuresSequence(spacing[:2], spacing[2], spacing[2]),
    }


def _one_per_plane(placement: Placement, reference: Reference) -> list[Dataset]:
    """A header per frame, all the first one, for patient and study: what each frame derives from is added later."""
    from pydicom import Dataset

    frames = ("NumberOfFrames", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
    header = Dataset()
    for element in reference.first:
        if element.keyword not in frames:
            header.add(copy.copy(element))
    if reference.is_multiframe:
        header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"  # any single-frame class: only its modules matter here
    objects.add_plane(header, placement.volume_planes, 0)
    return [header] * len(placement.planes.positions)


def _window_arguments(values: np.ndarray) -> dict:
    """The window as this version of highdicom takes it; 0.27, which Slicer brings along, takes numbers."""
    import highdicom as hd

    centre, width = (float(text) for text in linear_window(values))
    if "voi_lut_transformations" not in inspect.signature(hd.pm.ParametricMap.__init__).parameters:
        return {"window_center": centre, "window_width": width}
    return {"voi_lut_transformations": [hd.VOILUTTransformation(window_center=centre, window_width=width)]}


def _slices_of_frames(dataset: Dataset, placement: Placement) -> list[int]:
    """Slice that each frame holds, told by its position: highdicom stores frames in an order of its own."""
    frames = dataset.PerFrameFunctionalGroupsSequence
    stated = np.array([frame.PlanePositionSequence[0].ImagePositionPatient for frame in frames], float)
    along = (stated - placement.planes.positions[0]) @ placement.planes.normal
    return np.argsort(np.argsort(along)).tolist()


def _derivation(stamp: Stamp, placement: Placement, number: int, references: tuple[Reference, ...]) -> Dataset:
    """Item of DerivationImageSequence of one frame."""
    from highdicom.sr import CodedConcept
    from pydicom import Dataset
    from pydicom.sr.codedict import codes

    from MedFusionLib.io.dicom_export.stamp import derivation_codes

    item = Dataset()
    item.DerivationDescription = stamp.derivation
    item.DerivationCodeSequence = derivation_codes(stamp) or [CodedConcept.from_code(codes.DCM.ImageProcessing)]
    item.SourceImageSequence = [source for _, source in objects.source_items(placement.planes, number, references)]
    return item
