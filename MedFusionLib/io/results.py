"""Result folders: written whole or not at all, and read back."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from MedFusionLib.errors import UnreadableFile, UsageError
from MedFusionLib.intensity import Window
from MedFusionLib.io.atomic_folder import whole_folder
from MedFusionLib.io.plain import plain
from MedFusionLib.io.segmentation_file import read_segmentation, write_segmentation
from MedFusionLib.io.write import disk_error, write_nifti
from MedFusionLib.provenance import describe_source
from MedFusionLib.result import OPTIONAL_MAPS, FusionResult, Verdict
from MedFusionLib.units import parse_unit
from MedFusionLib.volume import Geometry, Origin, Volume

RESULT_FILE = "result.json"
FORMAT = 1
MAPS = ("uint8", "float")


def save_result(result: FusionResult, folder: str | Path, *, overwrite: bool = False, maps: str = "uint8") -> Path:
    """Write a result folder.

    Everything is written into a temporary folder beside the target, ``result.json`` last, which
    then takes the target's place: a folder either is complete or does not exist, and an older
    result stays until the new one is complete.

    Parameters
    ----------
    result : FusionResult
        The result.
    folder : path
        The folder to make.
    overwrite : bool
        Whether an older result may be replaced.
    maps : {"uint8", "float"}
        How contribution shares are stored: in steps of 1/255, or as float32.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        When the folder holds something already, is not writable, or `maps` is unknown.
    ResourcesExhausted
        When the disk is full; nothing is left behind.
    """
    folder = Path(folder)
    if maps not in MAPS:
        raise UsageError(f"Maps as {maps!r}", "one of " + ", ".join(MAPS))
    check_target(folder, overwrite=overwrite)
    try:
        with whole_folder(folder) as temporary:
            write_result(result, temporary, maps=maps)
    except OSError as error:
        raise disk_error(error, folder) from error
    return folder


def write_result(result: FusionResult, folder: Path, *, maps: str = "uint8") -> dict:
    """Write a result's files into an empty folder, ``result.json`` last, and return that record.

    Raises
    ------
    OSError
        When the disk is full or the folder cannot be written.
    """
    record = {**describe_result(result), "files": _write_files(result, folder, maps), "format": FORMAT}
    text = json.dumps(record, indent=2, allow_nan=False)
    (folder / RESULT_FILE).write_text(text + "\n", encoding="utf-8")
    return record


def check_target(folder: str | Path, *, overwrite: bool = False) -> None:
    """Refuse a target folder that must not be replaced, before hours of work.

    Raises
    ------
    UsageError
        When it is a file, or holds a result and `overwrite` is not set, or holds anything else.
    """
    folder = Path(folder)
    if not folder.exists():
        _check_writable(folder)
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file", "a folder")
    is_result = (folder / RESULT_FILE).is_file()
    if is_result and not overwrite:
        raise UsageError(f"{folder} holds a result already", "a new folder", "Choose another one or allow overwriting")
    if not is_result and any(folder.iterdir()):
        raise UsageError(f"{folder} holds files that are not a result", "a new or empty folder", "Choose another one")
    _check_writable(folder)


def load_result(folder: str | Path) -> FusionResult:
    """Read a result folder.

    Raises
    ------
    UnreadableFile
        When the folder is not a complete result.
    """
    folder = Path(folder)
    path = folder / RESULT_FILE
    if not path.is_file():
        raise UnreadableFile(f"{folder} has no {RESULT_FILE}", "a complete result folder", "Run the fusion again")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise UnreadableFile(f"{folder} has format {record['format']}", f"format {FORMAT}")
        return _read_files(folder, record)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(
            f"{folder} is not a complete result ({type(error).__name__})", "all files that result.json lists"
        ) from error


def describe_result(result: FusionResult) -> dict:
    """A result's numbers and records as plain JSON types (undefined numbers become None)."""
    sources = [
        {**describe_source(source), "name": f"source_{number}_{source.modality}",
         "native_spacing_mm": list(source.source.native_spacing_mm or source.geometry.spacing_mm),
         "window": window.as_json()}
        for number, (source, window) in enumerate(zip(result.sources, result.windows))
    ]  # fmt: skip
    tumour = None
    if result.tumour is not None:
        found = result.tumour
        tumour = {"segments": list(found.measures), "notes": list(found.source.notes), "evidence": found.evidence}
    return plain(
        {
            "sources": sources,
            "alignment": result.alignment.as_json(),
            "metrics": result.metrics,
            "tumour": tumour,
            "timings": result.timings,
            "provenance": result.provenance,
        }
    )


def _write_files(result: FusionResult, folder: Path, maps: str) -> dict:
    geometry = result.fused.geometry
    files = {"fused": "fused.nii.gz", "colour": None, "contribution": None, "invention": None, "tumour": None}
    write_nifti(result.fused.array, geometry, folder / files["fused"])
    files["sources"] = [f"source_{n}_{source.modality}.nii.gz" for n, source in enumerate(result.sources)]
    for name, source in zip(files["sources"], result.sources):
        write_nifti(source.array, geometry, folder / name)
    if result.colour is not None:
        files["colour"] = "colour.nii.gz"
        write_nifti(result.colour, geometry, folder / files["colour"])
    if result.contribution is not None:
        files["contribution"] = "contribution.nii.gz"
        if maps == "uint8":
            shares = np.rint(result.contribution * 255).astype(np.uint8)
            write_nifti(shares, geometry, folder / files["contribution"], slope=1 / 255)
        else:
            write_nifti(result.contribution, geometry, folder / files["contribution"])
    if result.invention is not None:
        files["invention"] = "invention.nii.gz"
        write_nifti(result.invention, geometry, folder / files["invention"])
    for name in OPTIONAL_MAPS:
        values = getattr(result, name)
        files[name] = None if values is None else f"{name}.nii.gz"
        if values is not None:
            write_nifti(values, geometry, folder / files[name])
    files["transforms"] = [
        _write_transform(t, folder / f"transform_{n}.h5") for n, t in enumerate(result.transforms, 1)
    ]
    if result.tumour is not None:
        files["tumour"] = "tumour.seg.nrrd"
        write_segmentation(result.tumour, folder / files["tumour"])
    return files


def _write_transform(transform, path: Path) -> str | None:
    if transform is None:
        return None
    import SimpleITK as sitk

    sitk.WriteTransform(transform, str(path))
    return path.name


def _read_transform(path: Path):
    import SimpleITK as sitk

    return sitk.ReadTransform(str(path))


def _read_files(folder: Path, record: dict) -> FusionResult:
    files = record["files"]
    fused, geometry = _nifti(folder / files["fused"])
    sources = []
    for name, said in zip(files["sources"], record["sources"]):
        array, _ = _nifti(folder / name)
        origin = Origin((name,), said["sha256"], said["series"], said["frame_of_reference"],
                        tuple(said["native_spacing_mm"]), tuple(said["notes"]))  # fmt: skip
        unit = parse_unit(said["unit"])
        sources.append(Volume(array, geometry, said["modality"], unit, said["name"], origin))
    tumour = read_segmentation(folder / files["tumour"]) if files["tumour"] else None
    names = ("contribution", "invention", *OPTIONAL_MAPS)
    optional = {key: _nifti(folder / files[key])[0] if files.get(key) else None for key in names}
    alignment = record["alignment"]
    return FusionResult(
        fused=Volume(fused, geometry, "OT", parse_unit("1"), "Fused " + "-".join(s.modality for s in sources)),
        sources=tuple(sources),
        windows=tuple(Window(**said["window"]) for said in record["sources"]),
        colour=_colours(folder / files["colour"]) if files["colour"] else None,
        **optional,
        alignment=Verdict(alignment["status"], tuple(alignment["reasons"]), alignment["evidence"]),
        tumour=_with_measures(tumour, record["tumour"]),
        metrics=record["metrics"],
        timings=record["timings"],
        provenance=record["provenance"],
        transforms=tuple(_read_transform(folder / t) if t else None for t in files.get("transforms", ())),
    )


def _with_measures(tumour, record: dict | None):
    if tumour is None:
        return None
    source, evidence = Origin(notes=tuple(record.get("notes", ()))), record.get("evidence", {})
    return replace(tumour, measures=tuple(record["segments"]), source=source, evidence=evidence)


def _nifti(path: Path) -> tuple[np.ndarray, Geometry]:
    """(K, J, I) or (S, K, J, I) float32 and the grid of a file that MedFusion wrote."""
    import nibabel

    image = nibabel.load(path)
    array = np.ascontiguousarray(np.asarray(image.dataobj, dtype=np.float32).T)
    return array, Geometry(array.shape[-3:], image.affine)


def _colours(path: Path) -> np.ndarray:
    import nibabel

    stored = np.ascontiguousarray(np.asarray(nibabel.load(path).dataobj).T)
    return stored.view(np.uint8).reshape(*stored.shape, 3)


def _check_writable(folder: Path) -> None:
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UsageError(f"{folder} cannot be written", "a folder in a place you may write to", "Choose another folder")
