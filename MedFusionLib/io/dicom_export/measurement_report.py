"""Structured report (TID 1500) with the measures of every lesion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from MedFusionLib import __version__, units
from MedFusionLib.io.dicom_export import objects
from MedFusionLib.io.dicom_export.reference import Reference
from MedFusionLib.io.dicom_export.segmentation_object import UNKNOWN_RULE, present_segments
from MedFusionLib.io.dicom_export.stamp import MANUFACTURER, NOTICE, Stamp, new_uid
from MedFusionLib.segmentation import Segment, Segmentation

if TYPE_CHECKING:
    from pydicom import Dataset

_SUV = ("126401", "DCM", "SUVbw")
_QUANTITIES = {
    units.HOUNSFIELD.code: ("112031", "DCM", "Attenuation Coefficient"),
    units.SUV_BODY_WEIGHT.code: _SUV,
    units.BECQUEREL_PER_ML.code: ("activity-concentration", "99MEDFUSION", "Activity concentration"),
    units.COUNTS.code: ("counts", "99MEDFUSION", "Counts"),
    units.ARBITRARY.code: ("110852", "DCM", "MR signal intensity"),
}
_MAXIMUM, _MEAN = ("56851009", "SCT", "Maximum"), ("373098007", "SCT", "Mean")
_STATISTICS = {
    "min": ("255605001", "SCT", "Minimum"), "max": _MAXIMUM, "mean": _MEAN,
    "sd": ("386136009", "SCT", "Standard Deviation"),
}  # fmt: skip
_NAMED = {  # measure: quantity, unit, derivation
    "volume_ml": (("118565006", "SCT", "Volume"), ("ml", "milliliter"), None),
    "suv_max": (_SUV, (units.SUV_BODY_WEIGHT.code, "SUVbw g/ml"), _MAXIMUM),
    "suv_mean": (_SUV, (units.SUV_BODY_WEIGHT.code, "SUVbw g/ml"), _MEAN),
    "suv_peak": (_SUV, (units.SUV_BODY_WEIGHT.code, "SUVbw g/ml"), ("126031", "DCM", "Peak Value Within ROI")),
    "tlg_g": (("126033", "DCM", "Total Lesion Glycolysis"), ("g", "gram"), None),
}


def measurement_report(
    segmentation: Segmentation,
    segmentation_object: Dataset,
    references: tuple[Reference, ...],
    stamp: Stamp,
    *,
    rule: str = "",
) -> tuple[Dataset, tuple[str, ...]]:
    """The measures of every segment as a Comprehensive 3D SR, template TID 1500 with TID 1411 per lesion.

    Parameters
    ----------
    segmentation : Segmentation
        With measures, one dict per segment.
    segmentation_object : Dataset
        The DICOM Segmentation that the report points to.
    references : tuple of Reference
        Series of the same study; the first is the one that was segmented.
    stamp : Stamp
        Kind ``"sr"``.
    rule : str
        Name of the rule that drew the segments.

    Returns
    -------
    Dataset, tuple of str
        The report, and what was left out of it.
    """
    import highdicom as hd

    warnings: list[str] = []
    measures = dict(zip((segment.label for segment in segmentation.segments), segmentation.measures))
    groups = []
    for number, segment in enumerate(present_segments(segmentation), start=1):
        found = measures.get(segment.label)
        if not found:
            warnings.append(f"{segment.name} has no measures")
        described = segmentation_object.SegmentSequence[number - 1]
        where = _where(segmentation_object, number, references[0])
        groups.append(_lesion(segment, described, where, _measurements(found or {}, warnings), rule))
    study = references[0].first.StudyInstanceUID
    evidence = [h for one in references for h in one.headers if h.StudyInstanceUID == study]
    report = hd.sr.Comprehensive3DSR(
        evidence=[*evidence, segmentation_object],
        content=hd.sr.MeasurementReport(
            observation_context=_observer(stamp),
            procedure_reported=_concept("363679005", "SCT", "Imaging"),
            imaging_measurements=groups,
            title=_concept("126000", "DCM", "Imaging Measurement Report"),
        )[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        **stamp.series(),
        **stamp.equipment(),
    )
    stamp.mark(report)
    report.ContentQualification = "RESEARCH"
    objects.add_equipment(report, references)
    return report, tuple(dict.fromkeys(warnings))


def _where(segmentation_object: Dataset, number: int, reference: Reference):
    """The segment that was measured, and the series that it was drawn on."""
    import highdicom as hd

    return hd.sr.ReferencedSegment(
        segmentation_object.SOPClassUID,
        segmentation_object.SOPInstanceUID,
        number,
        source_series=hd.sr.SourceSeriesForSegmentation(reference.first.SeriesInstanceUID),
    )


def _lesion(segment: Segment, described: Dataset, where, measurements: list, rule: str):
    """Measurement group of one segment, with the tracking identifiers that the Segmentation gave it."""
    import highdicom as hd

    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=described.TrackingUID, identifier=described.TrackingID),
        referenced_segment=where,
        finding_category=_concept(
            segment.category_code.value, segment.category_code.scheme, segment.category_code.meaning
        ),
        finding_type=_concept(segment.type_code.value, segment.type_code.scheme, segment.type_code.meaning),
        algorithm_id=hd.sr.AlgorithmIdentification(rule or UNKNOWN_RULE, __version__),
        measurements=measurements or None,
    )


def _measurements(measures: dict, warnings: list[str]) -> list:
    found = [
        _measurement(quantity, measures[key], unit, derivation)
        for key, (quantity, unit, derivation) in _NAMED.items()
        if measures.get(key) is not None
    ]
    for statistics in measures.get("sources", []):
        code = statistics.get("unit", "")
        if code not in _QUANTITIES:
            warnings.append(
                f"Statistics of a {statistics.get('modality', '')} source are left out: its unit is unknown"
            )
            continue
        named = {"max", "mean"} if code == units.SUV_BODY_WEIGHT.code and "suv_max" in measures else set()
        meaning = next(unit.meaning for unit in units.KNOWN_UNITS if unit.code == code)
        found.extend(
            _measurement(_QUANTITIES[code], statistics[key], (code, meaning), derivation)
            for key, derivation in _STATISTICS.items()
            if statistics.get(key) is not None and key not in named
        )
    return found


def _measurement(quantity: tuple, value: float, unit: tuple, derivation: tuple | None):
    import highdicom as hd

    return hd.sr.Measurement(
        name=_concept(*quantity),
        value=float(value),
        unit=_concept(unit[0], "UCUM", unit[1]),
        derivation=_concept(*derivation) if derivation else None,
    )


def _observer(stamp: Stamp):
    """This software as the observer; no person."""
    import highdicom as hd

    return hd.sr.ObservationContext(
        observer_device_context=hd.sr.ObserverContext(
            observer_type=_concept("121007", "DCM", "Device"),
            observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
                uid=new_uid(), name=f"{MANUFACTURER}. {NOTICE}"[:64], manufacturer_name=MANUFACTURER,
                model_name=MANUFACTURER, serial_number=__version__,
            ),
        )
    )  # fmt: skip


def _concept(value: str, scheme: str, meaning: str):
    from highdicom.sr import CodedConcept

    return CodedConcept(value, scheme, meaning)
