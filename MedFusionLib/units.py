"""Units of voxel values, as codes of the Unified Code for Units of Measure (UCUM)."""

from __future__ import annotations

from dataclasses import dataclass

from MedFusionLib.errors import UsageError


@dataclass(frozen=True)
class Unit:
    """A unit of measure: UCUM code and the words a person reads.

    An empty code means "unit unknown": such values are never treated as HU or SUV.
    """

    code: str
    meaning: str

    @property
    def is_known(self) -> bool:
        """Whether the unit is known at all."""
        return bool(self.code)

    def __str__(self) -> str:
        return self.meaning


UNKNOWN = Unit("", "unit unknown")
HOUNSFIELD = Unit("[hnsf'U]", "HU")
SUV_BODY_WEIGHT = Unit("{SUVbw}g/ml", "SUVbw g/ml")
SUV_LEAN_BODY_MASS = Unit("{SUVlbm}g/ml", "SUVlbm g/ml")
SUV_LEAN_BODY_MASS_JAMES = Unit("{SUVlbm(James128)}g/ml", "SUVlbm-james g/ml")
SUV_LEAN_BODY_MASS_JANMA = Unit("{SUVlbm(Janma)}g/ml", "SUVlbm-janma g/ml")
SUV_BODY_SURFACE = Unit("{SUVbsa}cm2/ml", "SUVbsa cm2/ml")
SUV_IDEAL_BODY_WEIGHT = Unit("{SUVibw}g/ml", "SUVibw g/ml")
BECQUEREL_PER_ML = Unit("Bq/ml", "Bq/ml")
COUNTS = Unit("{counts}", "counts")
ARBITRARY = Unit("[arb'U]", "a.u.")
FUSION_INDEX = Unit("1", "fusion index")

AIR_HU = -1000.0
"""CT value of air: what lies outside the field of view of a CT in HU."""

SUV_UNITS = (
    SUV_BODY_WEIGHT, SUV_LEAN_BODY_MASS, SUV_LEAN_BODY_MASS_JAMES, SUV_LEAN_BODY_MASS_JANMA, SUV_BODY_SURFACE,
    SUV_IDEAL_BODY_WEIGHT,
)  # fmt: skip
KNOWN_UNITS = (HOUNSFIELD, *SUV_UNITS, BECQUEREL_PER_ML, COUNTS, ARBITRARY, FUSION_INDEX)

_ALIASES = {
    "hu": HOUNSFIELD,
    "hounsfield": HOUNSFIELD,
    "suv": SUV_BODY_WEIGHT,
    **{unit.meaning.split()[0].lower(): unit for unit in SUV_UNITS},
    "bqml": BECQUEREL_PER_ML,
    "counts": COUNTS,
    "a.u.": ARBITRARY,
    "au": ARBITRARY,
    "arbitrary": ARBITRARY,
}


def parse_unit(text: str | Unit | None) -> Unit:
    """The unit for a UCUM code or a common name such as ``HU``, ``SUVbw``, ``Bq/ml``.

    Raises
    ------
    UsageError
        For a text that is neither; units are never guessed.
    """
    if text is None or text == "":
        return UNKNOWN
    if isinstance(text, Unit):
        return text
    wanted = text.strip().lower()
    for unit in KNOWN_UNITS:
        if wanted in (unit.code.lower(), unit.meaning.lower()):
            return unit
    if wanted in _ALIASES:
        return _ALIASES[wanted]
    raise UsageError(
        f"Unknown unit {text!r}",
        "one of " + ", ".join(unit.code for unit in KNOWN_UNITS),
        "Give the UCUM code, for example {SUVbw}g/ml",
    )
