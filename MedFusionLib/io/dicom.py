"""Read one DICOM series as a volume."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from MedFusionLib import units
from MedFusionLib.errors import MedFusionError, UnreadableFile, UsageError
from MedFusionLib.io.checks import check_finite
from MedFusionLib.io.dicom_files import Header, Series, find_series, read_dataset, without_quotes
from MedFusionLib.io.dicom_stack import Stack, stack_series
from MedFusionLib.io.identity import digest_of_all, file_digest, hashed_uid
from MedFusionLib.io.limits import check_size
from MedFusionLib.io.meaning import check_modality
from MedFusionLib.io.suv import suv_audit
from MedFusionLib.units import AIR_HU, Unit, parse_unit
from MedFusionLib.volume import MODALITIES, Origin, Volume

logger = logging.getLogger(__name__)


def read_dicom(
    path: Path, modality: str | None = None, unit: str | Unit | None = None, *, name: str | None = None
) -> Volume:
    """Read the one image series in a folder or file.

    Geometry comes from positions and orientation, never from instance numbers or file names; pixels
    are rescaled slice by slice. PET becomes SUVbw unless ``"Bq/ml"`` is asked for.

    Parameters
    ----------
    path : Path
        A folder, or one file.
    modality, unit
        Must not contradict the series; a unit is needed only to keep PET in Bq/ml.
    name : str or None
        Name for people; otherwise the modality.

    Raises
    ------
    UnreadableFile, NotSupported
        When there is not exactly one series, or it makes no regular volume.
    UsageError
        When modality or unit contradict the series.
    SuvUnavailable
        When PET lacks what SUV needs.
    """
    return read_series(_one_series(path), modality, unit, name=name)


def read_series(
    series: Series, modality: str | None = None, unit: str | Unit | None = None, *, name: str | None = None
) -> Volume:
    """Read a series that `find_series` found; arguments and errors as for `read_dicom`."""
    said, asked = check_modality(modality), parse_unit(unit)
    try:
        with without_quotes():  # header values are parsed when they are touched
            return _read(series, said, asked, name)
    except MedFusionError:
        raise
    except Exception as error:
        raise UnreadableFile(
            f"The {series.modality} series has invalid header values ({type(error).__name__})", "a valid DICOM series"
        ) from error


def _read(series: Series, said: str | None, asked: Unit, name: str | None) -> Volume:
    found = series.modality if series.modality in MODALITIES else "OT"
    if said and said != found:
        raise UsageError(f"The series is {series.modality}, but {said} was given", "the modality of the series")
    stack = stack_series(series)
    factor, meaning, remarks = _scale(stack, found, asked)
    array, digests, padded = _read_pixels(stack, is_ct=found == "CT")
    if factor != 1.0:
        array *= np.float32(factor)
    check_finite(f"The {found} series", array)
    if padded:
        remarks = (*remarks, f"{padded} padding voxels set to {AIR_HU:g} HU")
    origin = Origin(
        files=(f"{len(stack.headers)} DICOM files",),
        sha256=digest_of_all(digests),
        series=hashed_uid(series.uid),
        frame_of_reference=hashed_uid(stack.headers[0].dataset.get("FrameOfReferenceUID")),
        notes=(*stack.notes, *remarks),
    )
    return Volume(array, stack.geometry, found, meaning, name or found, origin)


def _one_series(path: Path) -> Series:
    series = find_series(path)
    if not series:
        raise UnreadableFile(
            f"{path.name} holds no DICOM image", "an image file, or a folder with one DICOM image series"
        )
    if len(series) > 1:
        listed = "; ".join(f"{one.describe()} in {one.headers[0].path.parent.name}/" for one in series[:5])
        raise UnreadableFile(
            f"{path.name} holds {len(series)} series: {listed}", "one series", "Give the folder of one of them"
        )
    return series[0]


def _scale(stack: Stack, modality: str, asked: Unit) -> tuple[float, Unit, tuple[str, ...]]:
    """Factor from rescaled pixels to the volume's unit, the unit, and remarks."""
    own = {"CT": units.HOUNSFIELD, "MR": units.ARBITRARY, "NM": units.COUNTS}.get(modality, units.UNKNOWN)
    if modality == "CT" and str(stack.headers[0].dataset.get("RescaleType", "HU") or "HU").upper() != "HU":
        own = units.UNKNOWN
    factor, remarks = 1.0, ()
    if modality == "PT":
        stored = str(stack.headers[0].dataset.get("Units", "") or "").upper()
        if asked == units.BECQUEREL_PER_ML and stored == "BQML":
            return 1.0, units.BECQUEREL_PER_ML, ()
        audit = suv_audit([header.dataset for header in stack.headers])
        factor, own, remarks = audit.factor, units.SUV_BODY_WEIGHT, audit.remarks()
    if asked.is_known and asked != own:
        raise UsageError(f"The series is in {own}, but {asked} was asked for", f"{own}")
    return factor, own, remarks


def _read_pixels(stack: Stack, *, is_ct: bool) -> tuple[np.ndarray, list[str], int]:
    """Rescaled pixels (K, J, I), the digest of every file, and the number of padding voxels."""
    shape = stack.geometry.shape
    check_size("The series", shape)
    array, digests, padded = np.empty(shape, np.float32), [], 0
    for number, header in enumerate(stack.headers):
        stored, slope, intercept, padding = _one_slice(header, shape[1:])
        np.multiply(stored, np.float32(slope), out=array[number], casting="unsafe")
        array[number] += np.float32(intercept)
        if is_ct and padding is not None:
            outside = (stored >= padding[0]) & (stored <= padding[1])
            array[number][outside] = AIR_HU
            padded += int(outside.sum())
        digests.append(file_digest(header.path))
    return array, digests, padded


def _one_slice(header: Header, shape: tuple[int, int]) -> tuple[np.ndarray, float, float, tuple[int, int] | None]:
    """Stored pixels, rescale slope and intercept, and the lowest and highest value that means padding."""
    dataset = read_dataset(header.path, pixels=True)
    try:
        with without_quotes():
            stored = dataset.pixel_array
            slope, intercept = _number(dataset, "RescaleSlope", 1.0), _number(dataset, "RescaleIntercept", 0.0)
            padding = _padding(dataset)
    except Exception as error:
        raise UnreadableFile(
            f"The pixels of {header.path.name} cannot be decoded ({type(error).__name__})", "complete pixel data",
            "Send the image again, or install the codec: pip install pylibjpeg-libjpeg pylibjpeg-openjpeg",
        ) from error  # fmt: skip
    if stored.shape != shape:
        raise UnreadableFile(f"{header.path.name} has pixels of shape {stored.shape}", f"{shape}")
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        raise UnreadableFile(
            f"{header.path.name} states a rescale of slope {slope:g} and intercept {intercept:g}",
            "finite numbers, and a slope other than 0",
        )
    return stored, slope, intercept, padding


def _number(dataset, keyword: str, absent: float) -> float:
    """Value of an element, or what its absence (or emptiness) means."""
    value = dataset.get(keyword)
    return absent if value is None or value == "" else float(value)


def _padding(dataset) -> tuple[int, int] | None:
    value, limit = dataset.get("PixelPaddingValue"), dataset.get("PixelPaddingRangeLimit")
    if value is None:
        return None
    ends = int(value), int(value if limit is None else limit)
    return min(ends), max(ends)
