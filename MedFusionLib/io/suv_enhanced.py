"""SUV of an Enhanced PET object: one file whose pixels are mapped to real-world values.

The object states the one date and time that its activities are corrected to (PS3.3 C.8.22.4), so no reference time
has to be looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from MedFusionLib import units
from MedFusionLib.errors import SuvUnavailable
from MedFusionLib.io.dicom_time import parse_date_time, parse_zone
from MedFusionLib.io.suv_audit import SuvAudit
from MedFusionLib.io.suv_body import VARIANTS
from MedFusionLib.io.suv_inputs import (
    KEEP_ACTIVITY,
    Ledger,
    body_of,
    chosen_tracer,
    dose_bq_of,
    half_life_s_of,
    text_of,
)
from MedFusionLib.io.suv_times import administration, checked_wait
from MedFusionLib.units import Unit

if TYPE_CHECKING:
    from pydicom import Dataset

ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"


def audit_enhanced(
    dataset: Dataset, kinds: Sequence[tuple[str, ...]], unit: Unit | None, variant: str, tracer: int | None
) -> SuvAudit:
    """The factor from real-world values to SUV.

    Parameters
    ----------
    dataset : Dataset
        The header.
    kinds : sequence of tuple of str
        Frame type of every frame, in capitals.
    unit : Unit or None
        Unit of the real-world values.
    variant, tracer
        As for `audit_suv`.

    Raises
    ------
    SuvUnavailable
        Names what is missing, contradictory or not supported.
    """
    ledger, wanted, frames = Ledger(), VARIANTS[variant], len(kinds)
    if str(dataset.get("SOPClassUID", "")) != ENHANCED_PET:
        raise SuvUnavailable(
            "SUV of a multi-frame PET that is neither Enhanced PET nor a legacy conversion is not supported",
            "Enhanced PET, or one file per slice", KEEP_ACTIVITY,
        )  # fmt: skip
    for part in {part for kind in kinds for part in kind} & {"DYNAMIC", "GATED", "CARDIAC_GATED", "RESP_GATED"}:
        raise SuvUnavailable(f"The frames are of the type {part}", "static frames", KEEP_ACTIVITY)
    if text_of(dataset, "AttenuationCorrected") != "YES":
        raise SuvUnavailable("AttenuationCorrected is not YES", "images corrected for attenuation", KEEP_ACTIVITY)
    ledger.note("RealWorldValueMappingSequence", unit.code if unit else None)
    given = next((v for v in VARIANTS.values() if unit is not None and v.unit == unit), None)
    if given is not None:
        share = 1.0
        if given is not wanted:
            body = body_of(dataset, (wanted, given), ledger)
            share = wanted.of(body) / given.of(body)
        return SuvAudit(variant, (share,) * frames, ledger.inputs, (), tuple(ledger.warnings))
    if unit != units.BECQUEREL_PER_ML:
        raise SuvUnavailable(
            "RealWorldValueMappingSequence maps the pixels to no activity and no SUV", "Bq/ml or a SUV",
            "Export the series with its mapping", "missing_tag",
        )  # fmt: skip
    factor = _from_activity(dataset, wanted.of(body_of(dataset, (wanted,), ledger)), tracer, ledger)
    return SuvAudit(variant, (factor,) * frames, ledger.inputs, (), tuple(ledger.warnings))


def _from_activity(dataset: Dataset, normaliser: float, number: int | None, ledger: Ledger) -> float:
    tracer = chosen_tracer([dataset], number)[0]
    dose, half_life = dose_bq_of(tracer, ledger, is_enhanced=True), half_life_s_of(tracer, ledger)
    if text_of(dataset, "DecayCorrected") != "YES":
        raise SuvUnavailable("DecayCorrected is not YES", "images corrected for decay", KEEP_ACTIVITY)
    stated = dataset.get("DecayCorrectionDateTime")
    reference = parse_date_time(stated)
    if reference is None:
        raise SuvUnavailable(
            "DecayCorrectionDateTime is missing", "the time activities are corrected to", KEEP_ACTIVITY, "missing_tag"
        )
    given = administration(dataset, tracer, half_life, ledger)
    zones = {parse_zone(stated), parse_zone(tracer.get("RadiopharmaceuticalStartDateTime"))} - {None}
    if len(zones) > 1:
        raise SuvUnavailable(
            "DecayCorrectionDateTime and RadiopharmaceuticalStartDateTime are in two time zones", "one",
            KEEP_ACTIVITY, "ambiguous_timing",
        )  # fmt: skip
    waited = checked_wait(given.seconds_until(reference, half_life, ledger), half_life)
    ledger.note(given.name, 0.0, "s, the origin of all times here", given.tag)
    ledger.note("DecayCorrectionDateTime", waited, "s after administration")
    return normaliser / dose * 2 ** (waited / half_life)
