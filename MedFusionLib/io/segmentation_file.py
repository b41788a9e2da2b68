"""Segmentations as ``.seg.nrrd``, the format of 3D Slicer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MedFusionLib.errors import NotSupported, UnreadableFile, UsageError
from MedFusionLib.io.checks import checked_geometry, whole_numbers
from MedFusionLib.io.itk import LPS_TO_RAS, to_itk_image
from MedFusionLib.io.write import write_itk, write_nifti
from MedFusionLib.segmentation import Code, Segment, Segmentation

_CONTEXT = "Segmentation category and type - DICOM master list"


def save_segmentation(segmentation: Segmentation, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a segmentation as ``.seg.nrrd`` (everything) or as a label map in NIfTI (voxels and grid only).

    Raises
    ------
    UsageError
        When the file exists and `overwrite` is not set, or the folder is not there or not writable.
    NotSupported
        For another file type.
    ResourcesExhausted
        When the disk is full; nothing is left behind.
    """
    path = check_segmentation_target(path, overwrite=overwrite)
    if path.name.lower().endswith(".seg.nrrd"):
        write_segmentation(segmentation, path)
    else:
        write_nifti(segmentation.labels, segmentation.geometry, path)
    return path


def check_segmentation_target(path: str | Path, *, overwrite: bool = False) -> Path:
    """Refuse a name that `save_segmentation` could not write, before the work is done."""
    path = Path(path)
    if not path.name.lower().endswith((".seg.nrrd", ".nii", ".nii.gz")):
        raise NotSupported(f"Writing a segmentation as {path.name}", "a name that ends in .seg.nrrd, .nii or .nii.gz")
    if path.exists() and not overwrite:
        raise UsageError(f"{path.name} exists already", "a new file name", "Choose another name or allow overwriting")
    if not path.parent.is_dir():
        raise UsageError(f"No folder {path.parent}", "an existing folder")
    return path


def write_segmentation(segmentation: Segmentation, path: Path) -> None:
    """Write a segmentation so that 3D Slicer opens it with names, colours and terminology."""
    image = to_itk_image(segmentation.labels, segmentation.geometry)
    image.SetMetaData("Segmentation_MasterRepresentation", "Binary labelmap")
    image.SetMetaData("Segmentation_ContainedRepresentationNames", "Binary labelmap|")
    image.SetMetaData("Segmentation_ReferenceImageExtentOffset", "0 0 0")
    for number, segment in enumerate(segmentation.segments):
        for key, value in _fields(segmentation, segment).items():
            image.SetMetaData(f"Segment{number}_{key}", value)
    write_itk(image, Path(path))


def read_segmentation(path: str | Path) -> Segmentation:
    """Read a ``.seg.nrrd`` with one layer.

    Raises
    ------
    UnreadableFile
        When it is missing, broken, or has several layers.
    """
    import SimpleITK as sitk

    path = Path(path)
    if not path.is_file():
        raise UnreadableFile(f"No file {path.name}", "a segmentation (.seg.nrrd)")
    try:
        image = sitk.ReadImage(str(path))
    except Exception as error:
        raise UnreadableFile(f"{path.name} is not a readable segmentation", "a .seg.nrrd file") from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise UnreadableFile(f"{path.name} has overlapping segments", "a segmentation with one layer")
    labels = whole_numbers(path.name, sitk.GetArrayFromImage(image))
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
    matrix[:3, 3] = image.GetOrigin()
    fields = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    count = sum(key.endswith("_LabelValue") for key in fields)
    geometry = checked_geometry(path.name, labels.shape, LPS_TO_RAS @ matrix)
    return Segmentation(labels, geometry, tuple(_segment(fields, number) for number in range(count)))


def terminology_tag(segment: Segment) -> str:
    """The terminology entry of a segment as 3D Slicer stores it."""
    category, kind = segment.category_code, segment.type_code
    return (
        f"{_CONTEXT}~{category.scheme}^{category.value}^{category.meaning}"
        f"~{kind.scheme}^{kind.value}^{kind.meaning}~^^~Anatomic codes - DICOM master list~^^~^^|"
    )


def parse_terminology(tag: str) -> tuple[Code, Code] | None:
    """Category and type codes of a terminology entry; None when it holds none."""
    parts = [part.split("^") for part in tag.split("~")]
    if len(parts) < 3 or len(parts[1]) != 3 or len(parts[2]) != 3 or not parts[2][1]:
        return None
    return tuple(Code(value, meaning, scheme) for scheme, value, meaning in (parts[1], parts[2]))


def _fields(segmentation: Segmentation, segment: Segment) -> dict[str, str]:
    inside = np.argwhere(segmentation.mask(segment))
    if len(inside):
        low, high = inside.min(axis=0)[::-1], inside.max(axis=0)[::-1]
        extent = " ".join(f"{a} {b}" for a, b in zip(low, high))
    else:
        extent = "0 -1 0 -1 0 -1"
    return {
        "ID": f"Segment_{segment.label}",
        "Name": segment.name,
        "NameAutoGenerated": "0",
        "Color": " ".join(f"{c:.6g}" for c in segment.colour),
        "ColorAutoGenerated": "0",
        "Extent": extent,
        "LabelValue": str(segment.label),
        "Layer": "0",
        "Tags": f"Segmentation.Status:inprogress|TerminologyEntry:{terminology_tag(segment)}",
    }


def _segment(fields: dict[str, str], number: int) -> Segment:
    prefix = f"Segment{number}_"
    _, found, entry = fields.get(prefix + "Tags", "").partition("TerminologyEntry:")
    codes = parse_terminology(entry.rstrip("|")) if found else None
    label, name = int(fields[prefix + "LabelValue"]), fields.get(prefix + "Name", f"Segment {number + 1}")
    colour = tuple(float(c) for c in fields.get(prefix + "Color", "0 0.9 0.2").split())
    return Segment(label, name, colour) if codes is None else Segment(label, name, colour, codes[1], codes[0])
