"""Standardised uptake values of a PET series, with an account of every number that went in.

SUV = activity concentration [Bq/ml] x normaliser [g or cm2] / decay-corrected dose [Bq], after QIBA's vendor-neutral
pseudocode and IBSI's SUV reference document. Pixels that are a SUV already only change their normaliser: their decay is
never done again.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from MedFusionLib.errors import SuvUnavailable, UsageError
from MedFusionLib.io.suv_body import VARIANTS, Variant
from MedFusionLib.io.suv_inputs import (
    KEEP_ACTIVITY,
    Ledger,
    body_of,
    chosen_tracer,
    dose_bq_of,
    half_life_s_of,
    same_in_all,
    text_of,
)
from MedFusionLib.io.suv_kind import ACTIVITY, Stored, check_series, stored_quantity
from MedFusionLib.io.suv_times import (
    Administration,
    ReferenceTime,
    acquisition_times,
    administration,
    checked_wait,
    mean_activity_s,
    reference_times,
)
from MedFusionLib.units import Unit

if TYPE_CHECKING:
    from pydicom import Dataset

_OF_THE_SERIES = (
    "Units", "DecayCorrection", "CorrectedImage", "SUVType", "PatientWeight", "PatientSize", "PatientSex", "SeriesDate",
    "SeriesTime",
)  # fmt: skip
NOTABLE_SHARE = 0.01


@dataclass(frozen=True)
class SuvAudit:
    """How the factors from rescaled pixels to SUV came about.

    Parameters
    ----------
    variant : str
        A key of ``suv_body.VARIANTS``.
    factors : tuple of float
        SUV per rescaled pixel value, one per slice in the order of the headers.
    inputs : dict
        Name -> tag, value and unit of everything that went in; times only as seconds, never as dates.
    reference_times : tuple of dict
        Every candidate: ``name``, ``tag``, ``seconds_after_administration``, ``factor`` it would give (None when it
        gives none), ``used``, and ``remark`` on why not.
    warnings : tuple of str
        What a physicist should look at.
    """

    variant: str
    factors: tuple[float, ...]
    inputs: dict
    reference_times: tuple[dict, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def unit(self) -> Unit:
        """Unit of the result."""
        return VARIANTS[self.variant].unit

    @property
    def factor(self) -> float | None:
        """The one factor of all slices; None when they differ."""
        return self.factors[0] if len(set(self.factors)) == 1 else None

    def remarks(self) -> tuple[str, ...]:
        """The audit as notes of a volume's origin."""
        inputs = ", ".join(f"{name} {_short(e['value'])} {e['unit']}".strip() for name, e in self.inputs.items())
        low, high = min(self.factors), max(self.factors)
        factor = f"factor {low:.9g}" if self.factor else f"factors {low:.9g} to {high:.9g}"
        return (f"SUV{self.variant} {factor} from {inputs}", *self.warnings)

    def as_json(self) -> dict:
        """Plain JSON types."""
        factors = {"factor": self.factor} if self.factor else {"factors": list(self.factors)}
        return {
            "variant": self.variant, "unit": self.unit.code, **factors, "inputs": self.inputs,
            "reference_times": list(self.reference_times), "warnings": list(self.warnings),
        }  # fmt: skip


def audit_suv(datasets: Sequence[Dataset], variant: str = "bw", tracer: int | None = None) -> SuvAudit:
    """Factors from rescaled pixels to SUV for the headers of one PET series.

    Parameters
    ----------
    datasets : sequence of Dataset
        Headers of all slices.
    variant : {"bw", "lbm", "lbm-james", "lbm-janma", "bsa", "ibw"}
        What uptake is divided by.
    tracer : int or None
        Which radiopharmaceutical counts, from 1; needed when the header names several.

    Raises
    ------
    SuvUnavailable
        Names the element that is missing, contradictory or not supported.
    UsageError
        For an unknown variant or tracer.
    """
    if variant not in VARIANTS:
        raise UsageError(f"Unknown SUV variant {variant!r}", "one of " + ", ".join(VARIANTS))
    wanted, ledger = VARIANTS[variant], Ledger()
    check_series(datasets, ledger)
    same_in_all(datasets, _OF_THE_SERIES)
    stored = stored_quantity(datasets, ledger)
    if stored.quantity == ACTIVITY:
        return _from_activity(datasets, stored, wanted, tracer, ledger)
    given = VARIANTS[stored.quantity]
    share = 1.0
    if given is not wanted:
        body = body_of(datasets[0], (wanted, given), ledger)
        share = wanted.of(body) / given.of(body)
    return SuvAudit(variant, tuple(scale * share for scale in stored.scales), ledger.inputs, (), tuple(ledger.warnings))


def _from_activity(datasets, stored: Stored, wanted: Variant, number: int | None, ledger: Ledger) -> SuvAudit:
    normaliser = wanted.of(body_of(datasets[0], (wanted,), ledger))
    tracer = chosen_tracer(datasets, number)[0]
    per_bq = normaliser / dose_bq_of(tracer, ledger)
    correction = text_of(datasets[0], "DecayCorrection")
    ledger.note("DecayCorrection", correction or None)
    candidates, growth = (), [1.0] * len(datasets)
    if correction == "START":
        half_life = half_life_s_of(tracer, ledger)
        given = administration(datasets[0], tracer, half_life, ledger)
        candidates, waited = _from_start(datasets, given, half_life, per_bq * stored.scales[0], ledger)
        growth = [2 ** (waited / half_life)] * len(datasets)
    elif correction == "NONE":
        growth = _not_corrected(datasets, tracer, ledger)
    elif correction != "ADMIN":
        raise SuvUnavailable(
            f"DecayCorrection {correction or '(missing)'} is not supported", "START, ADMIN or NONE", KEEP_ACTIVITY,
            "unsupported_value" if correction else "missing_tag",
        )  # fmt: skip
    factors = tuple(float(per_bq * scale * times) for scale, times in zip(stored.scales, growth))
    return SuvAudit(wanted.name, factors, ledger.inputs, candidates, tuple(ledger.warnings))


def _from_start(
    datasets, given: Administration, half_life_s: float, at_administration: float, ledger: Ledger
) -> tuple[tuple[dict, ...], float]:
    """All reference times with the factors that they would give, and the seconds of the one that is used."""
    times = reference_times(datasets, half_life_s, ledger)
    used = next(time for time in times if time.is_usable)
    waited = checked_wait(given.seconds_until(used.moment, half_life_s, ledger), half_life_s)
    ledger.note(given.name, 0.0, "s, the origin of all times here", given.tag)
    ledger.note(used.name, waited, "s after administration", used.tag)
    table = tuple(_candidate(time, given, half_life_s, at_administration, used=time is used) for time in times)
    own = 2 ** (waited / half_life_s) * at_administration
    for time, entry in zip(times, table):
        if time.is_usable and entry["factor"] and abs(entry["factor"] / own - 1) > NOTABLE_SHARE:
            change = 100 * (entry["factor"] / own - 1)
            ledger.warn(f"reference time '{time.name}' would change the SUV by {change:+.1f} %; used: '{used.name}'")
    for time in times[: times.index(used)]:
        if time.trouble:
            ledger.warn(f"reference time '{time.name}' was passed over: {time.trouble}")
    return table, waited


def _candidate(time: ReferenceTime, given: Administration, half_life_s, at_administration, *, used: bool) -> dict:
    entry = {"name": time.name, "tag": time.tag, "seconds_after_administration": None, "factor": None, "used": used,
             "remark": time.trouble if time.moment else "not stated"}  # fmt: skip
    if time.moment is not None:
        waited = given.seconds_until(time.moment, half_life_s, Ledger())
        sensible = 0 <= waited <= 10 * half_life_s
        entry["seconds_after_administration"] = waited
        entry["factor"] = at_administration * 2 ** (waited / half_life_s) if sensible else None
    return entry


def _not_corrected(datasets, tracer: Dataset, ledger: Ledger) -> list[float]:
    """Growth of every slice from the moment of its mean activity back to the administration."""
    half_life = half_life_s_of(tracer, ledger)
    given = administration(datasets[0], tracer, half_life, ledger)
    waits = []
    for dataset, when in zip(datasets, acquisition_times(datasets, ledger)):
        into_frame = mean_activity_s(dataset, half_life)
        if into_frame is None:
            raise SuvUnavailable(
                "ActualFrameDuration is missing, and the slices are not corrected for decay",
                "the duration of every frame", KEEP_ACTIVITY, "missing_tag",
            )  # fmt: skip
        middle = when + datetime.timedelta(seconds=into_frame)
        waits.append(checked_wait(given.seconds_until(middle, half_life, ledger), half_life))
    ledger.note(given.name, 0.0, "s, the origin of all times here", given.tag)
    ledger.note("first middle of a frame", min(waits), "s after administration", "(0008,0032) (0018,1242)")
    ledger.note("last middle of a frame", max(waits), "s after administration", "(0008,0032) (0018,1242)")
    return (2 ** (np.array(waits) / half_life)).tolist()


def _short(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
