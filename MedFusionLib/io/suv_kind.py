"""What the pixels of a PET series are: activity, one of the SUVs, or something that has no way to a SUV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from MedFusionLib.errors import SuvUnavailable
from MedFusionLib.io.dicom_private import PHILIPS_PET, private_creators, private_text
from MedFusionLib.io.suv_body import VARIANTS
from MedFusionLib.io.suv_inputs import KEEP_ACTIVITY, Ledger, text_of

if TYPE_CHECKING:
    from pydicom import Dataset

ACTIVITY = "activity"
_EXPORT_AGAIN = "Export the series in Bq/ml, decay corrected to START"
_PHILIPS_GROUP, _PHILIPS_SUV, _PHILIPS_ACTIVITY = 0x7053, 0x00, 0x09
_OTHER_UNITS = {
    "CPS": "a count rate: the scanner's calibration to Bq/ml is not in the header",
    "PROPCNTS": "only proportional to counts",
    "PROPCPS": "only proportional to a count rate",
    "1CM": "an attenuation, no uptake",
    "NONE": "without a unit",
    "PCNT": "a percentage",
}
_REFUSED_SERIES = {
    "REPROJECTION": "a projection through the patient",
    "DYNAMIC": "a series in time",
    "GATED": "a series over the heart's or the breath's phases",
}


@dataclass(frozen=True)
class Stored:
    """Quantity behind rescaled pixels: ``"activity"`` or a SUV variant, and what each slice is multiplied by first."""

    quantity: str
    scales: tuple[float, ...]


def check_series(datasets: Sequence[Dataset], ledger: Ledger) -> None:
    """Refuse projections, series in time, offsets, enhanced objects, and images that were not corrected.

    Raises
    ------
    SuvUnavailable
        Names what stands against a SUV.
    """
    first = datasets[0]
    if text_of(first, "Modality") != "PT":
        raise SuvUnavailable("The series is no PET", "Modality PT", "Choose the PET series", "not_pet")
    for dataset in datasets:
        for part in dataset.get("SeriesType") or ():
            if str(part).upper() in _REFUSED_SERIES:
                kind = str(part).upper()
                raise SuvUnavailable(
                    f"SeriesType {kind}: {_REFUSED_SERIES[kind]}", "a STATIC or WHOLE BODY series of images",
                    KEEP_ACTIVITY,
                )  # fmt: skip
        if float(dataset.get("RescaleIntercept") or 0) != 0:
            raise SuvUnavailable("RescaleIntercept is not 0", "0, as the PET object demands", KEEP_ACTIVITY)
    applied = _corrections(first)
    if applied is None:
        ledger.warn("CorrectedImage is missing: nothing says that attenuation was corrected")
    elif "ATTN" not in applied:
        raise SuvUnavailable(
            "CorrectedImage does not state attenuation correction", "ATTN among the corrections", KEEP_ACTIVITY
        )


def stored_quantity(datasets: Sequence[Dataset], ledger: Ledger) -> Stored:
    """What rescaled pixels are.

    Raises
    ------
    SuvUnavailable
        For units without a way to SUV, with the reason.
    """
    unit, ones = text_of(datasets[0], "Units"), (1.0,) * len(datasets)
    ledger.note("Units", unit or None)
    if unit == "BQML":
        _check_decay(datasets[0])
        return Stored(ACTIVITY, ones)
    if unit in ("GML", "CM2ML"):
        return Stored(_stated_variant(datasets[0], unit, ledger), ones)
    if unit == "CNTS":
        return _philips(datasets, ledger)
    raise SuvUnavailable(
        f"Units {unit or '(missing)'}: {_OTHER_UNITS.get(unit, 'not a unit of uptake')}", "BQML, GML, CM2ML or CNTS",
        _EXPORT_AGAIN, "unsupported_value" if unit else "missing_tag",
    )  # fmt: skip


def _stated_variant(dataset: Dataset, unit: str, ledger: Ledger) -> str:
    kind = text_of(dataset, "SUVType")
    ledger.note("SUVType", kind or None)
    kind = kind or ("BSA" if unit == "CM2ML" else "BW")
    for variant in VARIANTS.values():
        if variant.suv_type == kind and (kind == "BSA") == (unit == "CM2ML"):
            return variant.name
    raise SuvUnavailable(
        f"Units {unit} with SUVType {kind}", "GML with BW, LBM, LBMJAMES128, LBMJANMA or IBW; CM2ML with BSA",
        _EXPORT_AGAIN,
    )  # fmt: skip


def _philips(datasets: Sequence[Dataset], ledger: Ledger) -> Stored:
    """Counts with Philips' private factors: to SUVbw, else to Bq/ml."""
    for element, quantity, meaning in (
        (_PHILIPS_SUV, "bw", "Philips SUV scale factor"),
        (_PHILIPS_ACTIVITY, ACTIVITY, "Philips activity scale factor"),
    ):
        factors = [_factor(private_text(d, _PHILIPS_GROUP, PHILIPS_PET, element)) for d in datasets]
        if min(factors) > 0:
            ledger.note(meaning, factors[0] if len(set(factors)) == 1 else factors, "", f"(7053,xx{element:02X})")
            if not private_creators(datasets[0], _PHILIPS_GROUP):
                ledger.warn("Philips' private elements come without their creator: taken by the Manufacturer")
            if quantity == ACTIVITY:
                _check_decay(datasets[0])
            return Stored(quantity, tuple(factors))
    raise SuvUnavailable(
        "Units CNTS without Philips' SUV or activity scale factor", "(7053,xx00) or (7053,xx09), greater than 0",
        f"Export it with private elements, or in Bq/ml. {KEEP_ACTIVITY}", "missing_tag",
    )  # fmt: skip


def _factor(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


def _corrections(dataset: Dataset) -> set[str] | None:
    stated = dataset.get("CorrectedImage")
    if stated is None or stated == "":
        return None
    return {stated.upper()} if isinstance(stated, str) else {str(part).upper() for part in stated}


def _check_decay(dataset: Dataset) -> None:
    """CorrectedImage and DecayCorrection must tell one story."""
    applied, correction = _corrections(dataset), text_of(dataset, "DecayCorrection")
    if applied is None:
        return
    if correction == "NONE" and "DECY" in applied:
        raise SuvUnavailable(
            "CorrectedImage states decay correction, DecayCorrection denies it", "one story", KEEP_ACTIVITY,
            "ambiguous_timing",
        )  # fmt: skip
    if correction in ("START", "ADMIN") and "DECY" not in applied:
        raise SuvUnavailable(
            "CorrectedImage does not state decay correction", "DECY among the corrections", KEEP_ACTIVITY
        )
