"""What an uptake is divided by: body weight, lean body mass, body surface, ideal body weight.

References
----------
James, W. P. T. (ed.): Research on obesity. HMSO, London 1976 (constants 128 and 148; DICOM's type LBM has 120 for men).
Janmahasatian, S. et al.: Quantification of lean bodyweight. Clin Pharmacokinet 44:1051-1065, 2005.
DuBois, D., DuBois, E. F.: A formula to estimate the approximate surface area. Arch Intern Med 17:863-871, 1916.
Sugawara, Y. et al.: Reevaluation of the standardized uptake value for FDG. Radiology 213:521-525, 1999 (ideal weight).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from MedFusionLib import units
from MedFusionLib.units import Unit

GRAMS_PER_KG, CM2_PER_M2 = 1000.0, 1e4


@dataclass(frozen=True)
class Body:
    """Weight in kg, height in m, and sex ``"M"``, ``"F"`` or ``"O"`` (mean of both); None where unknown."""

    weight_kg: float | None
    height_m: float | None
    sex: str


@dataclass(frozen=True)
class Variant:
    """One kind of SUV.

    Parameters
    ----------
    name : str
        As on the command line.
    suv_type : str
        DICOM's SUVType.
    unit : Unit
        Unit of the result.
    needs : tuple of str
        Fields of `Body` without which it cannot be computed.
    normaliser : callable
        Body, ``"M"`` or ``"F"`` -> grams, or cm2 for the body surface.
    """

    name: str
    suv_type: str
    unit: Unit
    needs: tuple[str, ...]
    normaliser: Callable[[Body, str], float]

    @property
    def depends_on_sex(self) -> bool:
        """Whether the normaliser differs between men and women."""
        return self.name not in ("bw", "bsa")

    def of(self, body: Body) -> float:
        """Grams (cm2 for the body surface) of a body whose needed fields are known."""
        sexes = (body.sex,) if body.sex in ("M", "F") else ("M", "F")
        return sum(self.normaliser(body, sex) for sex in sexes) / len(sexes)


def _weight(body: Body, sex: str) -> float:
    return body.weight_kg * GRAMS_PER_KG


def _james(men: float) -> Callable[[Body, str], float]:
    def lean_mass(body: Body, sex: str) -> float:
        by_weight, by_square = (1.10, men) if sex == "M" else (1.07, 148.0)
        ratio = body.weight_kg / (body.height_m * 100)
        return (by_weight * body.weight_kg - by_square * ratio**2) * GRAMS_PER_KG

    return lean_mass


def _janmahasatian(body: Body, sex: str) -> float:
    index = body.weight_kg / body.height_m**2
    constant, slope = (6680.0, 216.0) if sex == "M" else (8780.0, 244.0)
    return 9270.0 * body.weight_kg / (constant + slope * index) * GRAMS_PER_KG


def _surface(body: Body, sex: str) -> float:
    return 0.007184 * body.weight_kg**0.425 * (body.height_m * 100) ** 0.725 * CM2_PER_M2


def _ideal(body: Body, sex: str) -> float:
    at_152, per_cm = (48.0, 1.06) if sex == "M" else (45.5, 0.91)
    return (at_152 + per_cm * (body.height_m * 100 - 152)) * GRAMS_PER_KG


_BOTH = ("weight_kg", "height_m")
VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("bw", "BW", units.SUV_BODY_WEIGHT, ("weight_kg",), _weight),
        Variant("lbm", "LBM", units.SUV_LEAN_BODY_MASS, _BOTH, _james(120.0)),
        Variant("lbm-james", "LBMJAMES128", units.SUV_LEAN_BODY_MASS_JAMES, _BOTH, _james(128.0)),
        Variant("lbm-janma", "LBMJANMA", units.SUV_LEAN_BODY_MASS_JANMA, _BOTH, _janmahasatian),
        Variant("bsa", "BSA", units.SUV_BODY_SURFACE, _BOTH, _surface),
        Variant("ibw", "IBW", units.SUV_IDEAL_BODY_WEIGHT, ("height_m",), _ideal),
    )
}
