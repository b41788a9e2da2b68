"""Which objects each kind of export is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from MedFusionLib import units
from MedFusionLib.errors import MedFusionError, NotSupported, UsageError
from MedFusionLib.intensity import Window
from MedFusionLib.io.dicom_export import blending, measurement_report, parametric_map, secondary_capture
from MedFusionLib.io.dicom_export import segmentation_object as seg
from MedFusionLib.io.dicom_export.planes import Placement, place
from MedFusionLib.io.dicom_export.reference import Reference
from MedFusionLib.io.dicom_export.stamp import Stamp, add_lossy_history, stamp_for
from MedFusionLib.io.dicom_export.structure_set import structure_set
from MedFusionLib.result import FusionResult
from MedFusionLib.segmentation import Segmentation
from MedFusionLib.volume import Geometry

if TYPE_CHECKING:
    from pydicom import Dataset

NEEDS_SLICES = ("rtstruct",)
Named = tuple[str, "Dataset"]


@dataclass(frozen=True)
class ExportOptions:
    """How to export.

    Parameters
    ----------
    overwrite : bool
        Whether an older export of the same kind may be replaced.
    multiframe : bool
        Secondary Capture as one multi-frame object instead of one file per slice.
    banner : bool
        Draw the research mark into colour pictures.
    deidentify : bool
        Apply the PS3.15 basic profile to what is written.
    """

    overwrite: bool = False
    multiframe: bool = False
    banner: bool = False
    deidentify: bool = False


@dataclass(frozen=True, eq=False)
class Job:
    """One kind of object of one result; `mask` is the Segmentation that was written just before, if one was."""

    result: FusionResult
    references: tuple[Reference, ...]
    stamp: Stamp
    options: ExportOptions
    mask: Dataset | None = None


def make_objects(kind: str, job: Job) -> tuple[Iterable[Named], list[str]]:
    """The instances of one kind by file name, made when they are asked for, and warnings."""
    if kind == "abps":
        return _blending(job)
    if kind in ("seg", "sr", "rtstruct"):
        return _tumour(kind, job)
    return _fused(kind, job)


def _fused(kind: str, job: Job) -> tuple[Iterable[Named], list[str]]:
    result, references = job.result, job.references
    frame = result.sources[0].source.frame_of_reference
    placement = place(result.fused.geometry, frame, references[0], same_grid_only=False)
    told = [*placement.warnings, *_lossy(references)]
    common = (placement, references, job.stamp)
    if kind == "pm":
        return [("pm.dcm", parametric_map.parametric_map(result.fused.array, *common))], told
    if kind == "sc-grey":
        if job.options.multiframe:
            return [("sc-grey.dcm", secondary_capture.grey_multiframe(result.fused.array, *common))], told
        return _numbered(kind, secondary_capture.grey_slices(result.fused.array, *common)), told
    if result.colour is None:
        raise UsageError("The result has no colour volume", "a result with a functional source (PET, SPECT)",
                         "Export it as sc-grey or pm")  # fmt: skip
    banner = job.options.banner
    if job.options.multiframe:
        return [("sc.dcm", secondary_capture.colour_multiframe(result.colour, *common, banner=banner))], told
    return _numbered(kind, secondary_capture.colour_slices(result.colour, *common, banner=banner)), told


def _tumour(kind: str, job: Job) -> tuple[Iterable[Named], list[str]]:
    if job.result.tumour is None:
        raise UsageError("The result has no tumour", "a result made with --tumour")
    tumour, rule = job.result.tumour, _rule(job.result)
    references, placement = _series_of(tumour, job, same_grid_only=kind in NEEDS_SLICES)
    told = list(placement.warnings)
    if kind == "rtstruct":
        return [("rtstruct.dcm", structure_set(tumour, placement, references, job.stamp))], told
    if kind == "seg":
        return [("seg.dcm", seg.dicom_segmentation(tumour, placement, references, job.stamp, rule=rule))], told
    own = job.mask is None
    stamp = stamp_for("seg", job.result)
    mask = seg.dicom_segmentation(tumour, placement, references, stamp, rule=rule) if own else job.mask
    report, left_out = measurement_report.measurement_report(tumour, mask, references, job.stamp, rule=rule)
    return [*([("seg.dcm", mask)] if own else []), ("sr.dcm", report)], [*told, *left_out]


def _blending(job: Job) -> tuple[Iterable[Named], list[str]]:
    asked = job.result.provenance.get("parameters", {})
    if any(asked.get("transforms") or []):
        raise NotSupported(
            "A source was moved by a transform before the fusion",
            "sources that line up by their frame of reference: the original series would not",
            "Export the fused result instead (sc, sc-grey or pm)",
        )
    pairs = [_window_for(number, reference, job.result) for number, reference in enumerate(job.references)]
    windows, told = tuple(window for window, _ in pairs), [text for _, text in pairs if text]
    table = asked.get("colour_table") or "inferno"
    return [("abps.dcm", blending.blending_state(job.references, windows, job.stamp, table=table))], told


def _window_for(number: int, reference: Reference, result: FusionResult) -> tuple[Window | None, str]:
    """The window of a source in the values that its series' own rescale gives."""
    found = [n for n, source in enumerate(result.sources) if source.source.series == reference.series]
    if not found and number < len(result.sources) and result.sources[number].modality == reference.modality:
        found = [number]
    if found:
        source, window = result.sources[found[0]], result.windows[found[0]]
        if source.unit != units.SUV_BODY_WEIGHT:
            return window, ""
        if reference.suv_factor:
            return Window(window.lower / reference.suv_factor, window.upper / reference.suv_factor), ""
    return None, f"The window of the {reference.modality} series is left to the viewer"


def _series_of(tumour: Segmentation, job: Job, *, same_grid_only: bool) -> tuple[tuple[Reference, ...], Placement]:
    """The references with the one first on whose slices the tumour was drawn, if it is among them."""
    frame = _frame_of(tumour.geometry, job.result)
    for reference in job.references:
        try:
            placement = place(tumour.geometry, frame, reference, same_grid_only=True)
        except MedFusionError:
            continue
        others = tuple(other for other in job.references if other is not reference)
        return (reference, *others), placement
    try:
        return job.references, place(tumour.geometry, frame, job.references[0], same_grid_only=same_grid_only)
    except MedFusionError as error:
        raise type(error)(
            f"The tumour: {error.what}", error.expected,
            "Give the series on which the tumour was drawn as a further --reference",
        ) from error  # fmt: skip


def _frame_of(geometry: Geometry, result: FusionResult) -> str:
    """Hashed frame of reference of a native grid of the result; empty when it cannot be told."""
    if geometry.same_grid(result.fused.geometry):
        return result.sources[0].source.frame_of_reference
    transforms = [None, *(result.provenance.get("parameters", {}).get("transforms") or [])]
    for number, said in enumerate(result.provenance.get("inputs") or []):
        if Geometry(tuple(said["shape_kji"]), said["ijk_to_ras"]).same_grid(geometry):
            moved = number < len(transforms) and transforms[number]
            return "" if moved else said["frame_of_reference"]
    return ""


def _rule(result: FusionResult) -> str:
    """Name of the rule that drew the tumour; empty for a label map that was given."""
    asked = result.provenance.get("parameters", {}).get("tumour")
    return asked[:64] if isinstance(asked, str) and "/" not in asked and "\\" not in asked else ""


def _lossy(references: tuple[Reference, ...]) -> tuple[str, ...]:
    from pydicom import Dataset

    return add_lossy_history(Dataset(), references)


def _numbered(kind: str, datasets: Iterable[Dataset]) -> Iterator[Named]:
    return ((f"{kind}-{number:04d}.dcm", dataset) for number, dataset in enumerate(datasets, start=1))
