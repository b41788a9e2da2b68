"""What the values of a DICOM stack are in, and by which factors they become SUV."""

from __future__ import annotations

from MedFusionLib import units
from MedFusionLib.errors import UnreadableFile, UsageError
from MedFusionLib.io.dicom_files import Series
from MedFusionLib.io.dicom_frames import PARAMETRIC_MAP
from MedFusionLib.io.dicom_groups import LEGACY_CONVERTED, has_groups, single_image
from MedFusionLib.io.dicom_stack import Stack
from MedFusionLib.io.isotopes import isotope_of
from MedFusionLib.io.suv_audit import SuvAudit, audit_suv
from MedFusionLib.io.suv_body import VARIANTS
from MedFusionLib.io.suv_enhanced import audit_enhanced
from MedFusionLib.units import Unit
from MedFusionLib.volume import MODALITIES

_PET_UNITS = {"BQML": units.BECQUEREL_PER_ML, "CNTS": units.COUNTS, "PROPCNTS": units.COUNTS}
"""What pixels are in before any SUV; GML and CM2ML say what they are through the SUV alone."""


def modality_of(series: Series) -> tuple[str, str]:
    """Modality of a volume, and a remark where it is not the series' own.

    SPECT is sometimes stored as PET: what carries a nuclide of single photons is SPECT.
    """
    stated = series.modality if series.modality in MODALITIES else "OT"
    if stated != "PT":
        return stated, ""
    header = series.headers[0]
    image = single_image(header.dataset, 0) if header.kind in LEGACY_CONVERTED else header.dataset
    tracers = image.get("RadiopharmaceuticalInformationSequence") or ()
    found = [isotope for tracer in tracers if (isotope := isotope_of(tracer)) is not None]
    if len(found) == 1 and found[0].is_single_photon:
        return "NM", f"stored as PET, but {found[0].name} emits single photons: read as SPECT"
    return stated, ""


def meaning_of(stack: Stack, series: Series) -> Unit:
    """Unit in which the values of a stack would be read.

    Raises
    ------
    SuvUnavailable
        When PET lacks what SUV needs.
    """
    return scale_of(stack, modality_of(series)[0], units.UNKNOWN, None)[1]


def scale_of(
    stack: Stack, modality: str, asked: Unit, tracer: int | None
) -> tuple[tuple[float, ...], Unit, SuvAudit | None]:
    """Factors from rescaled pixels to the volume's unit, the unit, and how a SUV came about.

    Parameters
    ----------
    stack : Stack
        Frames in order.
    modality : str
        One of ``MODALITIES``.
    asked : Unit
        What the caller wants: for PET it chooses activity or one of the SUVs; else it must be the stack's own.
    tracer : int or None
        Which radiopharmaceutical counts, from 1.

    Returns
    -------
    factors : tuple of float
        One per frame; empty where pixels stay what they are.
    unit : Unit
    audit : SuvAudit or None

    Raises
    ------
    SuvUnavailable
        When PET lacks what SUV needs.
    UsageError
        When the values cannot be had in the unit that was asked for.
    """
    own, audit = _stated_unit(stack, modality), None
    is_map = stack.frames[0].header.kind == PARAMETRIC_MAP  # its numbers are what they are, whatever was scanned
    if modality == "PT" and not is_map and not (asked == own and own.is_known):
        audit = _suv(stack, own, asked, tracer)
        own = audit.unit
    if asked.is_known and asked != own:
        raise UsageError(f"The series is in {own}, but {asked} was asked for", f"{own}")
    return audit.factors if audit else (), own, audit


def _stated_unit(stack: Stack, modality: str) -> Unit:
    """What the values are in before any SUV."""
    stated = {frame.unit for frame in stack.frames}
    if len(stated) > 1:
        raise UnreadableFile("The frames are mapped to several units", "one unit for the volume")
    first = stack.frames[0]
    if first.unit is not None:
        return first.unit
    if first.header.dataset.get("Modality") == "PT":
        return _PET_UNITS.get(str(first.value("Units") or "").upper(), units.UNKNOWN)
    if modality == "CT" and str(first.value("RescaleType") or "HU").upper() != "HU":
        return units.UNKNOWN
    return {"CT": units.HOUNSFIELD, "MR": units.ARBITRARY, "NM": units.COUNTS}.get(modality, units.UNKNOWN)


def _suv(stack: Stack, stated: Unit, asked: Unit, tracer: int | None) -> SuvAudit:
    variant = next((v.name for v in VARIANTS.values() if v.unit == asked), "bw")
    first = stack.frames[0]
    if first.header.kind in LEGACY_CONVERTED:
        return audit_suv([single_image(frame.header.dataset, frame.number) for frame in stack.frames], variant, tracer)
    if has_groups(first.header.dataset):
        kinds = [frame.kind for frame in stack.frames]
        return audit_enhanced(first.header.dataset, kinds, stated if first.unit else None, variant, tracer)
    return audit_suv([frame.header.dataset for frame in stack.frames], variant, tracer)
