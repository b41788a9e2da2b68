"""Read one DICOM series as a volume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from MedFusionLib import units
from MedFusionLib.errors import MedFusionError, SuvUnavailable, UnreadableFile, UsageError
from MedFusionLib.io.archive import opened
from MedFusionLib.io.checks import check_finite
from MedFusionLib.io.dicom_files import (
    SEGMENTATIONS,
    Series,
    find_series,
    group,
    has_image,
    read_header,
    without_quotes,
)
from MedFusionLib.io.dicom_parts import Part, parts_of
from MedFusionLib.io.dicom_pixels import read_values
from MedFusionLib.io.dicom_stack import Stack, stack_frames
from MedFusionLib.io.dicom_tilt import upright
from MedFusionLib.io.dicom_units import modality_of, scale_of
from MedFusionLib.io.identity import digest_of_all, hashed_uid
from MedFusionLib.io.meaning import check_modality
from MedFusionLib.io.suv_audit import SuvAudit
from MedFusionLib.io.suv_body import VARIANTS
from MedFusionLib.units import AIR_HU, Unit, parse_unit
from MedFusionLib.volume import Origin, Volume

_WORDS = {
    "IMAGE_ORIENTATION_INCONSISTENT": "mixes {} orientations",
    "MIXED_SPACING": "mixes {} matrices or pixel sizes",
    "FRAME_OF_REFERENCE_INCONSISTENT": "lies in {} frames of reference",
    "DUPLICATE_POSITION": "holds {} volumes at one place",
}


def read_dicom(
    path: Path,
    modality: str | None = None,
    unit: str | Unit | None = None,
    *,
    name: str | None = None,
    tracer: int | None = None,
    part: int | None = None,
    series: str | None = None,
) -> Volume:
    """Read one image series of a folder, DICOMDIR, zip archive or file.

    Geometry comes from positions and orientation, never from instance numbers or file names; pixels
    are rescaled slice by slice. PET becomes SUVbw unless ``"Bq/ml"`` or another SUV is asked for.

    Parameters
    ----------
    path : Path
        A folder, or one file.
    modality, unit
        Must not contradict the series; a unit is needed only to keep PET in Bq/ml.
    name : str or None
        Name for people; otherwise the modality.
    tracer : int or None
        Which radiopharmaceutical a PET series is of, from 1; needed when its header names several.
    part : int or None
        Which volume of a series that holds several (echoes, time points, orientations), from 1.
    series : str or None
        Which series of several: the hash that `inspect_path` lists, or its beginning. Without it a modality chooses,
        where only one series is of it.

    Raises
    ------
    UnreadableFile, NotSupported
        When there is not exactly one such series, or it makes no regular volume.
    UsageError
        When modality or unit contradict the series.
    SuvUnavailable
        When PET lacks what SUV needs.
    """
    with opened(path) as place:
        found = one_series(place, modality, series)
        return read_series(found, modality, unit, name=name, tracer=tracer, part=part)


def read_dicom_files(
    files: Sequence[str | Path],
    modality: str | None = None,
    unit: str | Unit | None = None,
    *,
    name: str | None = None,
    tracer: int | None = None,
    part: int | None = None,
) -> Volume:
    """Read the one image series that a list of files makes, as a DICOM database gives it.

    Arguments and errors as for `read_dicom`; files without an image are passed over.
    """
    headers = [read_header(Path(file)) for file in files]
    series = group(header for header in headers if has_image(header.dataset))
    return read_series(_only(series, "The list"), modality, unit, name=name, tracer=tracer, part=part)


def read_series(
    series: Series,
    modality: str | None = None,
    unit: str | Unit | None = None,
    *,
    name: str | None = None,
    tracer: int | None = None,
    part: int | None = None,
) -> Volume:
    """Read a series that `find_series` found; arguments and errors as for `read_dicom`."""
    return read_series_audited(series, modality, unit, name=name, tracer=tracer, part=part)[0]


def read_series_audited(
    series: Series,
    modality: str | None = None,
    unit: str | Unit | None = None,
    *,
    name: str | None = None,
    tracer: int | None = None,
    part: int | None = None,
) -> tuple[Volume, SuvAudit | None]:
    """As `read_series`, with the account of the factors where the series became SUV."""
    said, asked = check_modality(modality), parse_unit(unit)
    with _boundary(series):
        return _read(series, said, asked, name, tracer, part)


def read_suv(
    path: Path, variant: str = "bw", *, tracer: int | None = None, series: str | None = None
) -> tuple[Volume, SuvAudit]:
    """Read a PET series as SUV, with the account of how its factors came about.

    Parameters
    ----------
    path : Path
        A folder, DICOMDIR, zip archive or file.
    variant : {"bw", "lbm", "lbm-james", "lbm-janma", "bsa", "ibw"}
        What uptake is divided by.
    tracer, series
        As for `read_dicom`.

    Raises
    ------
    SuvUnavailable
        When the series is no PET or lacks what SUV needs.
    UnreadableFile, NotSupported, UsageError
        As for `read_dicom`.
    """
    if variant not in VARIANTS:
        raise UsageError(f"Unknown SUV variant {variant!r}", "one of " + ", ".join(VARIANTS))
    with opened(path) as place:
        found = find_series(place)
        is_there = any(one.modality == "PT" for one in found)
        chosen = _only(found, path.name, "PT" if is_there else None, series)
        if chosen.modality != "PT":
            raise SuvUnavailable(f"The series is {chosen.modality}", "PT", "Choose the PET series", "not_pet")
        with _boundary(chosen):
            return _read(chosen, None, VARIANTS[variant].unit, None, tracer)


@contextmanager
def _boundary(series: Series) -> Iterator[None]:
    """Whatever a header value does to the parser becomes one typed error."""
    try:
        with without_quotes():  # header values are parsed when they are touched
            yield
    except MedFusionError:
        raise
    except Exception as error:
        raise UnreadableFile(
            f"The {series.modality} series has invalid header values ({type(error).__name__})", "a valid DICOM series"
        ) from error


def _read(
    series: Series, said: str | None, asked: Unit, name: str | None, tracer: int | None, number: int | None = None
) -> tuple[Volume, SuvAudit | None]:
    found, remark = modality_of(series)
    if said and said not in (found, series.modality):
        raise UsageError(f"The series is {series.modality}, but {said} was given", "the modality of the series")
    label = f"The {series.modality} series"
    stack = stack_frames(label, chosen_part(series, number))
    factors, meaning, audit = scale_of(stack, found, asked, tracer)
    array, digests, padded, inverted = read_values(label, stack.frames, is_ct=found == "CT")
    remarks = [*([remark] if remark else []), *stack.notes, *(audit.remarks() if audit else ())]
    if audit:
        array *= np.asarray(factors, np.float32)[:, None, None]
    if inverted:
        remarks.append(_right_way_up(array, meaning))
    check_finite(f"The {found} series", array)
    if padded:
        remarks.append(f"{padded} padding voxels set to {AIR_HU:g} HU")
    if any(header.is_polyglot for header in series.headers):
        remarks.append("the preamble of a file is not empty: other programs may take it for one of theirs")
    geometry = stack.geometry
    if stack.tilt_degrees:
        array, geometry = upright(label, array, geometry, AIR_HU if meaning == units.HOUNSFIELD else 0.0)
        remarks.append(_tilt_note(stack))
    origin = Origin(
        files=(f"{len(digests)} DICOM files",),
        sha256=digest_of_all(digests),
        series=hashed_uid(series.uid),
        frame_of_reference=hashed_uid(stack.frames[0].header.dataset.get("FrameOfReferenceUID")),
        notes=tuple(remarks),
    )
    return Volume(array, geometry, found, meaning, name or found, origin), audit


def chosen_part(series: Series, number: int | None) -> Part:
    """The only volume of a series, or the one with the given number, from 1.

    Raises
    ------
    UnreadableFile
        When there are several and none was chosen; the message lists them and names the rule that parts them.
    UsageError
        When there is no such number.
    """
    parts = parts_of(series)
    if number is None and len(parts) > 1:
        listed = "; ".join(f"{n} {part.what}, {len(part.frames)} slices" for n, part in enumerate(parts[:6], start=1))
        raise UnreadableFile(
            f"The {series.modality} series {_WORDS[parts[0].rule].format(len(parts))} (rule {parts[0].rule}): {listed}",
            "one volume", "Choose one by its number: --part 1 on the command line, part=1 in Python",
        )  # fmt: skip
    if number is not None and not 1 <= number <= len(parts):
        raise UsageError(f"Part {number} of a series of {len(parts)}", f"1 to {len(parts)}")
    return parts[(number or 1) - 1]


def _right_way_up(array: np.ndarray, meaning: Unit) -> str:
    """MONOCHROME1 shows small values bright: turn values without a unit over, and leave quantities alone."""
    if meaning not in (units.ARBITRARY, units.UNKNOWN):
        return f"stored as MONOCHROME1: shown inverted by other programs, the values in {meaning} are kept"
    low, high = float(array.min()), float(array.max())
    np.subtract(np.float32(low + high), array, out=array)
    return "stored as MONOCHROME1 and without a unit: turned over, so that much is bright"


def _tilt_note(stack: Stack) -> str:
    stated = stack.frames[0].value("GantryDetectorTilt")
    said = "" if stated is None else f" (the header states {float(stated):g})"
    return (
        f"gantry tilt of {stack.tilt_degrees:.1f} degrees{said}: resampled onto an orthogonal grid (rule GANTRY_TILT)"
    )


def one_series(path: Path, modality: str | None = None, series: str | None = None) -> Series:
    """The only series in a folder or file, or the only one of a modality or of a hash.

    Raises
    ------
    UnreadableFile
        When there is none, or more than one.
    """
    return _only(find_series(path), path.name, modality, series)


def _only(found: Sequence[Series], label: str, modality: str | None = None, wanted: str | None = None) -> Series:
    """The only image series; segmentations beside it are passed over."""
    images = [one for one in found if one.headers[0].kind not in SEGMENTATIONS] or list(found)
    if not images:
        raise UnreadableFile(f"{label} holds no DICOM image", "an image file, or a folder with one DICOM image series")
    chosen = images
    if wanted:
        chosen = [one for one in images if hashed_uid(one.uid).startswith(wanted.strip().lower())]
    elif len(images) > 1 and modality:
        chosen = [one for one in images if modality in (one.modality, modality_of(one)[0])]
    if len(chosen) == 1:
        return chosen[0]
    listed = "; ".join(
        f"{one.describe()} in {one.headers[0].path.parent.name}/ ({hashed_uid(one.uid)})"
        for one in (chosen or images)[:5]
    )
    which = f" that begins with {wanted}" if wanted else f" of {modality}" if modality else ""
    raise UnreadableFile(
        f"{label} holds {len(chosen)} series{which}: {listed}", "one series",
        "Give its folder, or its hash: --series on the command line, series= in Python",
    )  # fmt: skip
