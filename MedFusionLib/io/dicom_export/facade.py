"""Export a fusion result as standard DICOM: one call for every kind of object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from MedFusionLib.errors import MedFusionError, NotAligned, NotSupported, UsageError
from MedFusionLib.io.dicom_export.deidentify import Deidentifier
from MedFusionLib.io.dicom_export.files import check_folder, write_instances
from MedFusionLib.io.dicom_export.kinds import ExportOptions, Job, make_objects
from MedFusionLib.io.dicom_export.quiet import quiet
from MedFusionLib.io.dicom_export.reference import Reference, read_reference
from MedFusionLib.io.dicom_export.stamp import KINDS, shows_recognisable_features, stamp_for
from MedFusionLib.result import FusionResult
from MedFusionLib.segmentation import Segmentation

if TYPE_CHECKING:
    from pydicom import Dataset

IMAGES = ("sc", "sc-grey", "pm")


@dataclass(frozen=True)
class Export:
    """What was written.

    Parameters
    ----------
    instances : tuple of dict
        Per file: path, kind, sop_class, sop_instance_uid, series_instance_uid, frames.
    warnings : tuple of str
        What a person should know.
    """

    instances: tuple[dict, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> dict:
        """The document of the command line."""
        return {"instances": list(self.instances), "warnings": list(self.warnings)}


def export_result(
    result: FusionResult,
    references: Sequence[Reference | str | Path],
    kinds: Sequence[str],
    folder: str | Path,
    options: ExportOptions | None = None,
    *,
    cancelled: Callable[[], bool] = lambda: False,
) -> Export:
    """Write a result as DICOM objects, each kind into its own folder ``folder/kind``.

    Parameters
    ----------
    result : FusionResult
        From `fuse` or `load_result`.
    references : sequence of Reference or path
        The series on whose grid the sources were fused, then those of the other sources: they are
        referenced as sources, and their lossy history is kept.
    kinds : sequence of str
        From `KINDS`.
    folder : path
        Where to write.
    options : ExportOptions or None
        Further choices.
    cancelled : callable
        Asked between files.

    Returns
    -------
    Export

    Raises
    ------
    UsageError
        For an unknown kind, a folder that must not be replaced, or a result without what the kind shows.
    UnreadableFile
        For a reference series that is not one.
    NotAligned
        When the result does not lie in the reference series' frame of reference.
    NotSupported
        Where an object is not legal for this result.
    ResourcesExhausted, Cancelled
        As their messages say; the kind under way leaves nothing behind.
    """
    folder, options = Path(folder), options or ExportOptions()
    check_kinds(kinds)
    for kind in kinds:
        check_folder(folder / kind, overwrite=options.overwrite)
    if not references:
        raise UsageError("No reference series", "the DICOM series on whose grid the sources were fused")
    read = tuple(one if isinstance(one, Reference) else read_reference(one) for one in references)
    _check_patient(read)
    private = Deidentifier() if options.deidentify else None
    if private and result.tumour is not None:
        result = replace(result, tumour=_without_names(result.tumour))
    entries: list[dict] = []
    warnings = _warnings_of(result, read)
    if private and set(kinds) & set(IMAGES) and shows_recognisable_features(read):
        warnings.append("The pixels may show a face: the profile cleans headers only")
    mask = None
    for kind in sorted(set(kinds), key=KINDS.index):  # the mask before the report that points to it
        job = Job(result, read, stamp_for(kind, result), options, mask)
        with _boundary(kind), quiet():
            instances, told = make_objects(kind, job)
            hidden = private.all(instances) if private else instances
            written = write_instances(hidden, folder / kind, cancelled)
        mask = written[0][1] if kind == "seg" else mask
        entries.extend(_entry(path, kind, dataset) for path, dataset in written)
        warnings.extend(told)
    return Export(tuple(entries), tuple(dict.fromkeys(warnings)))


def check_kinds(kinds: Sequence[str]) -> None:
    """Refuse kinds that are not known.

    Raises
    ------
    UsageError
        Naming them.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise UsageError(f"Export as {', '.join(unknown) or 'nothing'}", "one of " + ", ".join(KINDS))


def _check_patient(references: tuple[Reference, ...]) -> None:
    """Refuse series of two patients; a mix-up here would file one patient's result under the other."""
    for keyword in ("PatientID", "PatientBirthDate"):
        stated = {str(reference.first.get(keyword) or "") for reference in references} - {""}
        if len(stated) > 1:
            raise NotAligned(
                f"The series given differ in {keyword}", "series of one patient", "Check that no folder was mixed up"
            )


@contextmanager
def _boundary(kind: str) -> Iterator[None]:
    """Whatever a library raises becomes one typed error without its text, which may quote the patient."""
    try:
        yield
    except (MedFusionError, MemoryError):
        raise
    except Exception as error:
        raise NotSupported(
            f"The {kind} object cannot be made from this reference series ({type(error).__name__})",
            "a series with valid header values",
            "Try another kind, or check the series with a DICOM validator",
        ) from error


def _warnings_of(result: FusionResult, references: tuple[Reference, ...]) -> list[str]:
    told = [warning for reference in references for warning in reference.warnings]
    if result.alignment.status != "pass":
        told.append(f"The sources' alignment is in doubt: verdict {result.alignment.status}")
    known = {source.source.series for source in result.sources} - {""}
    strangers = [one for one in references if known and one.series not in known]
    told.extend(f"The {one.modality} series given is not one of the sources" for one in strangers)
    if not known:
        told.append("The sources were not read from DICOM: that the series given are theirs is your statement")
    return told


def _without_names(tumour: Segmentation) -> Segmentation:
    """Names of lesions are free text of a person."""
    segments = tuple(replace(segment, name=f"Lesion {n}") for n, segment in enumerate(tumour.segments, start=1))
    return replace(tumour, segments=segments)


def _entry(path: Path, kind: str, dataset: Dataset) -> dict:
    return {
        "path": str(path),
        "kind": kind,
        "sop_class": str(dataset.SOPClassUID),
        "sop_instance_uid": str(dataset.SOPInstanceUID),
        "series_instance_uid": str(dataset.SeriesInstanceUID),
        "frames": int(dataset.get("NumberOfFrames") or 1),
    }
