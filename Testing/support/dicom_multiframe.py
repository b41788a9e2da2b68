"""Write one synthetic DICOM object that holds many frames: enhanced CT, MR and PET, and reconstructed SPECT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from dicom_writer import PLANES, SENTINEL, Recipe, stored_pixels

ENHANCED = {
    "CT": "1.2.840.10008.5.1.4.1.1.2.1",
    "MR": "1.2.840.10008.5.1.4.1.1.4.1",
    "PT": "1.2.840.10008.5.1.4.1.1.130",
}
NUCLEAR_MEDICINE = "1.2.840.10008.5.1.4.1.1.20"


def write_enhanced(path: Path, recipe: Recipe, order: list[int] | None = None, frame_tags: dict | None = None) -> None:
    """Write an enhanced object.

    Parameters
    ----------
    path : Path
        File to make.
    recipe : Recipe
        As for single-frame series; `offsets` and `slice_tags` are not used.
    order : list of int or None
        Slice number of every frame; several frames may be of one slice.
    frame_tags : dict or None
        Frame number -> functional group sequence -> elements.
    """
    order = list(range(recipe.shape[0])) if order is None else order
    pixels = stored_pixels(recipe)[order]
    dataset = _object(ENHANCED[recipe.modality], recipe, pixels)
    rows, columns = (np.array(v, dtype=float) for v in PLANES[recipe.plane])
    shared = _group(
        PlaneOrientationSequence={"ImageOrientationPatient": [*rows, *columns]},
        PixelMeasuresSequence={"PixelSpacing": list(recipe.spacing[:2]), "SliceThickness": recipe.spacing[2]},
    )
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for number, place in enumerate(order):
        position = np.array(recipe.origin) + np.cross(rows, columns) * place * recipe.spacing[2]
        groups.append(_group(
            PlanePositionSequence={"ImagePositionPatient": position.tolist()},
            PixelValueTransformationSequence={
                "RescaleSlope": recipe.slopes[number % len(recipe.slopes)],
                "RescaleIntercept": -1000 if recipe.modality == "CT" else 0, "RescaleType": "HU"},
            **(frame_tags or {}).get(number, {}),
        ))  # fmt: skip
    dataset.PerFrameFunctionalGroupsSequence = groups
    _set(dataset, recipe.tags)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


def write_spect(
    path: Path, recipe: Recipe, step: float, kind: str = "RECON TOMO", places: list[int] | None = None
) -> None:
    """Write a reconstructed SPECT whose slices follow the first one by `step` mm along the normal."""
    dataset = _object(NUCLEAR_MEDICINE, recipe, stored_pixels(recipe))
    rows, columns = PLANES[recipe.plane]
    detector = Dataset()
    detector.ImagePositionPatient = list(recipe.origin)
    detector.ImageOrientationPatient = [*rows, *columns]
    dataset.DetectorInformationSequence = [detector]
    dataset.Modality = "NM"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", kind, "EMISSION"]
    dataset.PixelSpacing = list(recipe.spacing[:2])
    dataset.SpacingBetweenSlices = step
    dataset.SliceVector = places or list(range(1, recipe.shape[0] + 1))
    _set(dataset, recipe.tags)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


def _object(sop_class: str, recipe: Recipe, pixels: np.ndarray) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    _set(dataset, {
        "SOPClassUID": sop_class, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "SeriesInstanceUID": recipe.series, "StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": recipe.frame,
        "PatientName": SENTINEL, "PatientID": "sentinel-id", "Modality": recipe.modality,
        "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], "NumberOfFrames": len(pixels),
        "Rows": pixels.shape[1], "Columns": pixels.shape[2], "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15,
        "PixelRepresentation": 1,
    })  # fmt: skip
    dataset.PixelData = pixels.tobytes()
    return dataset


def _group(**sequences) -> Dataset:
    group = Dataset()
    for name, elements in sequences.items():
        item = Dataset()
        _set(item, elements)
        setattr(group, name, [item])
    return group


def _set(dataset: Dataset, elements: dict) -> None:
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
