"""DICOM Segmentation: the tumour, with its terminology, on the reference series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib import __version__
from MedFusionLib.errors import UsageError
from MedFusionLib.io.dicom_export import objects
from MedFusionLib.io.dicom_export.parametric_map import geometry_arguments
from MedFusionLib.io.dicom_export.planes import Placement
from MedFusionLib.io.dicom_export.reference import Reference
from MedFusionLib.io.dicom_export.stamp import MANUFACTURER, NOTICE, Stamp, new_uid, shows_recognisable_features
from MedFusionLib.segmentation import Segment, Segmentation

if TYPE_CHECKING:
    from pydicom import Dataset

CONTENT_DESCRIPTION = "RESEARCH, NOT FOR DIAGNOSIS. To be reviewed."
"""A Segmentation has no ContentQualification."""
UNKNOWN_RULE = "label map given, its origin unknown"
"""Never called MANUAL: that would claim that a person drew it."""


def dicom_segmentation(
    segmentation: Segmentation, placement: Placement, references: tuple[Reference, ...], stamp: Stamp, *, rule: str = ""
) -> Dataset:
    """The segments as a binary DICOM Segmentation.

    Parameters
    ----------
    segmentation : Segmentation
        On the grid that was placed.
    placement : Placement
        From `planes.place`.
    references : tuple of Reference
        The series it lies on, then those of further sources in the same study.
    stamp : Stamp
        Kind ``"seg"``.
    rule : str
        Name of the rule that drew the segments; empty when they were given as they are.

    Raises
    ------
    UsageError
        When no voxel is labelled.
    """
    import highdicom as hd
    from pydicom.uid import ExplicitVRLittleEndian

    present = present_segments(segmentation)
    labels = renumbered(placement.apply(segmentation.labels), present)
    study = references[0].first.StudyInstanceUID
    further = [header for other in references[1:] for header in other.headers if header.StudyInstanceUID == study]
    where = (
        {}
        if placement.planes.on_reference and not references[0].is_multiframe
        else geometry_arguments(placement.planes)
    )
    dataset = hd.seg.Segmentation(
        source_images=list(references[0].headers),
        pixel_array=labels,
        segmentation_type="BINARY",
        segment_descriptions=[_description(segment, n, rule) for n, segment in enumerate(present, start=1)],
        content_description=CONTENT_DESCRIPTION,
        content_label="TUMOUR",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        further_source_images=further or None,
        **where,
        **stamp.series(),
        **stamp.equipment(),
    )
    stamp.mark(dataset)
    dataset.RecognizableVisualFeatures = "YES" if shows_recognisable_features(references) else "NO"
    dataset.DerivationDescription = NOTICE
    objects.add_body_part(dataset, references[0], with_laterality=False)
    objects.add_equipment(dataset, references)
    objects.add_lossy_history(dataset, references)
    return dataset


def present_segments(segmentation: Segmentation) -> list[Segment]:
    """The segments that have voxels.

    Raises
    ------
    UsageError
        When none has.
    """
    values = set(np.unique(segmentation.labels).tolist())
    present = [segment for segment in segmentation.segments if segment.label in values]
    if not present:
        raise UsageError(
            "The segmentation is empty", "at least one labelled voxel", "Nothing was found: nothing to export"
        )
    return present


def renumbered(labels: np.ndarray, present: list[Segment]) -> np.ndarray:
    """Labels as 1, 2, 3 ... in the order of the segments, (K, J, I) uint8."""
    table = np.zeros(256, np.uint8)
    for number, segment in enumerate(present, start=1):
        table[segment.label] = number
    return table[labels]


def _description(segment: Segment, number: int, rule: str):
    import highdicom as hd
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    category, kind = segment.category_code, segment.type_code
    family = codes.cid7162.HistogramAnalysis if rule.startswith("suv") else codes.DCM.ImageProcessing
    algorithm = hd.AlgorithmIdentificationSequence(
        name=rule or UNKNOWN_RULE, family=family, version=__version__, source=MANUFACTURER
    )
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.name[:64],
        segmented_property_category=CodedConcept(category.value, category.scheme, category.meaning),
        segmented_property_type=CodedConcept(kind.value, kind.scheme, kind.meaning),
        algorithm_type="SEMIAUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=new_uid(),
        tracking_id=f"{segment.name[:50]} {number}",
        display_color=hd.color.CIELabColor.from_rgb(*(round(255 * part) for part in segment.colour)),
    )
