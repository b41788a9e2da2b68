"""Everything that a result can be written as, from the scene."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from MedFusionLib.errors import Cancelled, UsageError
from MedFusionLib.result import FusionResult

VOLUMES, RESULT, DICOM, REPORT = "volumes", "result", "dicom", "report.html"
_SMALLEST_PYDICOM = 3


@dataclass(frozen=True)
class Wishes:
    """What to write.

    Parameters
    ----------
    volumes, result, report : bool
        Loose NIfTI files of the fused volume and the maps; a result folder; the page of the case.
    dicom : tuple of str
        Kinds of DICOM objects, of ``io.dicom_export.KINDS``.
    reference : str
        Folder with the DICOM series on whose grid the sources were fused; needed for DICOM.
    name : str
        What the report calls the case; never a patient's name.
    """

    volumes: bool = False
    result: bool = False
    report: bool = False
    dicom: tuple[str, ...] = ()
    reference: str = ""
    name: str = "case"


def dicom_problem() -> str:
    """Why DICOM objects cannot be written here; empty when they can."""
    if importlib.util.find_spec("highdicom") is None:
        return "DICOM objects need highdicom, which comes with 3D Slicer 5.12 and later"
    version = importlib.metadata.version("pydicom")
    if int(version.partition(".")[0]) < _SMALLEST_PYDICOM:
        return f"DICOM objects need pydicom 3 or later, which comes with 3D Slicer 5.12 and later; here is {version}"
    return ""


def report_problem() -> str:
    """Why the report cannot be made here; empty when it can."""
    missing = [name for name in ("matplotlib", "jinja2") if importlib.util.find_spec(name) is None]
    return (
        f"The report needs {' and '.join(missing)}: pip_install({missing!r}) in the Python console" if missing else ""
    )


def kinds_for(result: FusionResult) -> tuple[str, ...]:
    """The kinds of DICOM objects that suit a result: those of the tumour only where there is one."""
    return ("sc", "pm") + (("seg", "sr") if result.tumour is not None else ())


def deliver(
    result: FusionResult, folder: str | Path, wishes: Wishes, *, cancelled: Callable[[], bool] = lambda: False
) -> list[Path]:
    """Write a result in all ways that are wished for; any thread will do.

    Parameters
    ----------
    result : FusionResult
        Of a fusion, or of `restore.result_from_nodes`.
    folder : path
        Made when it is not there.
    wishes : Wishes
        What to write.
    cancelled : callable
        Asked between the parts.

    Returns
    -------
    list of Path
        What was written, files and folders.

    Raises
    ------
    UsageError
        When nothing is wished for, or something of that kind lies in the folder already.
    MedFusionError
        As the writers of the parts say.
    """
    folder = Path(folder)
    parts = [part for part, wish in _parts(wishes).items() if wish]
    if not parts:
        raise UsageError("Nothing was chosen to export", "at least one kind")
    if wishes.dicom and not wishes.reference:
        raise UsageError("DICOM objects need the series of the reference", "the folder of the reference series")
    for part in parts:
        if (folder / part).exists():
            raise UsageError(f"{part} lies in that folder already", "a folder without it", "Choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for part in parts:
        if cancelled():
            raise Cancelled()
        written.append(_write(part, result, folder, wishes, cancelled))
    return written


def _parts(wishes: Wishes) -> dict:
    return {VOLUMES: wishes.volumes, RESULT: wishes.result, DICOM: bool(wishes.dicom), REPORT: wishes.report}


def _write(part: str, result: FusionResult, folder: Path, wishes: Wishes, cancelled) -> Path:
    if part == VOLUMES:
        return _write_volumes(result, folder / VOLUMES)
    if part == RESULT:
        from MedFusionLib.io import save_result

        return save_result(result, folder / RESULT)
    if part == DICOM:
        from MedFusionLib.io.dicom_export import export_result

        export_result(result, [wishes.reference], wishes.dicom, folder / DICOM, cancelled=cancelled)
        return folder / DICOM
    from MedFusionLib.batch.case_page import write_report

    return write_report(result, folder, name=wishes.name)


def _write_volumes(result: FusionResult, folder: Path) -> Path:
    """Loose NIfTI files, whole or not at all."""
    from MedFusionLib.io.atomic_folder import whole_folder
    from MedFusionLib.io.write import disk_error, write_nifti

    arrays = {"fused": result.fused.array, "colour": result.colour, "contribution": result.contribution,
              "invention": result.invention, "loss": result.loss, "stability": result.stability}  # fmt: skip
    try:
        with whole_folder(folder) as temporary:
            for name, array in arrays.items():
                if array is not None:
                    write_nifti(array, result.fused.geometry, temporary / f"{name}.nii.gz")
    except OSError as error:
        raise disk_error(error, folder) from error
    return folder
