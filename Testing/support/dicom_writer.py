"""Write small synthetic DICOM series, sound ones and broken ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SENTINEL = "Sentinel^Patient"
CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
}
PLANES = {
    "axial": ((1, 0, 0), (0, 1, 0)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "oblique": ((0.9848077530, 0.1736481777, 0.0), (-0.1631759112, 0.9254165784, 0.3420201433)),
}


@dataclass
class Recipe:
    """What to write.

    Parameters
    ----------
    modality, plane : str
        A key of CLASSES and of PLANES.
    shape : (K, J, I)
        Slices, rows, columns.
    spacing : (row, column, slice) in mm
    origin : position of the first voxel, LPS in mm
    offsets : extra millimetres along the normal per slice
    shear : millimetres of in-plane shift per slice (a tilted gantry)
    tags : elements to set in every slice
    slice_tags : elements to set in single slices, by slice number
    skip : slice numbers to leave out
    """

    modality: str = "CT"
    plane: str = "axial"
    shape: tuple[int, int, int] = (6, 8, 10)
    spacing: tuple[float, float, float] = (2.0, 1.5, 3.0)
    origin: tuple[float, float, float] = (-20.0, 30.0, -40.0)
    offsets: dict = field(default_factory=dict)
    shear: float = 0.0
    tags: dict = field(default_factory=dict)
    slice_tags: dict = field(default_factory=dict)
    skip: tuple[int, ...] = ()
    slopes: tuple[float, ...] = (1.0,)
    series: str = field(default_factory=generate_uid)
    frame: str = field(default_factory=generate_uid)


def stored_pixels(recipe: Recipe) -> np.ndarray:
    """The integers that are written, (K, J, I); nothing in them is symmetric."""
    k, j, i = np.indices(recipe.shape)
    return (100 * k + 10 * j + i).astype(np.int16)


def write_series(folder: Path, recipe: Recipe | None = None) -> Recipe:
    """Write one file per slice, named so that the order of names is not the order of slices."""
    recipe = recipe or Recipe()
    folder.mkdir(parents=True, exist_ok=True)
    pixels = stored_pixels(recipe)
    for number in range(recipe.shape[0]):
        if number not in recipe.skip:
            dataset = _slice(recipe, number, pixels[number])
            dataset.save_as(folder / f"{(number * 7) % 10}-{number}.dcm", enforce_file_format=True)
    return recipe


def pet_tags(**changes) -> dict:
    """Elements of a plain PET series in Bq/ml: 70 kg, 350 MBq, scanned one hour after administration."""
    tracer = Dataset()
    tracer.RadiopharmaceuticalStartTime = changes.pop("start_time", "090000")
    tracer.RadionuclideTotalDose = changes.pop("dose", 350e6)
    tracer.RadionuclideHalfLife = changes.pop("half_life", 6586.2)
    if started := changes.pop("started", None):
        tracer.RadiopharmaceuticalStartDateTime = started
    for keyword, code in (("RadionuclideCodeSequence", "nuclide"), ("RadiopharmaceuticalCodeSequence", "tracer_code")):
        if value := changes.pop(code, None):
            item = Dataset()
            item.CodeValue = value
            setattr(tracer, keyword, [item])
    for keyword in changes.pop("without", ()):
        delattr(tracer, keyword)
    tags = {
        "Units": "BQML",
        "DecayCorrection": "START",
        "CorrectedImage": ["ATTN", "DECY"],
        "PatientWeight": 70,
        "PatientSize": 1.75,
        "PatientSex": "M",
        "SeriesDate": "20200101",
        "SeriesTime": "100000",
        "AcquisitionDate": "20200101",
        "AcquisitionTime": "100000",
        "RadiopharmaceuticalInformationSequence": [tracer],
    }
    return {**tags, **changes}


def _slice(recipe: Recipe, number: int, pixels: np.ndarray) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CLASSES[recipe.modality]
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    rows, columns = (np.array(v, dtype=float) for v in PLANES[recipe.plane])
    normal = np.cross(rows, columns)
    along = number * recipe.spacing[2] + recipe.offsets.get(number, 0.0)
    position = np.array(recipe.origin) + normal * along + columns * recipe.shear * number
    values = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "SeriesInstanceUID": recipe.series,
        "StudyInstanceUID": generate_uid(),
        "FrameOfReferenceUID": recipe.frame,
        "PatientName": SENTINEL,
        "PatientID": "sentinel-id",
        "Modality": recipe.modality,
        "InstanceNumber": recipe.shape[0] - number,
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "ImagePositionPatient": position.tolist(),
        "ImageOrientationPatient": [*rows, *columns],
        "PixelSpacing": list(recipe.spacing[:2]),
        "SliceThickness": recipe.spacing[2],
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        "RescaleSlope": recipe.slopes[number % len(recipe.slopes)],
        "RescaleIntercept": -1000 if recipe.modality == "CT" else 0,
        **recipe.tags,
        **recipe.slice_tags.get(number, {}),
    }
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.PixelData = pixels.tobytes()
    return dataset
