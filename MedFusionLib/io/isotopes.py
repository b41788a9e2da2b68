"""Radionuclides: half-lives, and the codes by which DICOM names them and their tracers.

Half-lives of F-18, Ga-68, C-11 and N-13 are those of the QIBA and IBSI SUV documents; the others are from the
Evaluated Nuclear Structure Data File (National Nuclear Data Center, NuDat 3). Codes are from DICOM PS3.16, context
groups 18, 25, 4020 and 4021, with the older SNOMED-RT codes that scanners still write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

_HOUR, _DAY = 3600.0, 86400.0


@dataclass(frozen=True)
class Isotope:
    """One radionuclide.

    Parameters
    ----------
    name : str
        Element and mass number, for example ``"F-18"``.
    half_life_s : float
        Physical half-life in seconds.
    codes : tuple of str
        Code values of the nuclide, SNOMED CT first, then SNOMED-RT.
    tracers : tuple of str
        Code values of radiopharmaceuticals that carry it.
    is_single_photon : bool
        Whether it is seen by SPECT instead of PET.
    """

    name: str
    half_life_s: float
    codes: tuple[str, ...]
    tracers: tuple[str, ...] = ()
    is_single_photon: bool = False


ISOTOPES = (
    Isotope("F-18", 6586.2, ("77004003", "C-111A1"), (
        "35321007", "C-B1031", "129501009", "C-B1032", "129502002", "C-B1036", "456992002", "C-E0273", "457000009",
        "C-E026A", "424708001", "C-B07E0", "422598008", "C-B07E1", "5811000122108", "C-E0241", "456995000", "C-E0269",
        "456997008", "C-E0267", "712736002", "C-D6858", "926372005", "126758", "C116352")),
    Isotope("Ga-68", 4057.7, ("35337001", "C-131A3"), ("724025002", "C118961", "126759", "C2713594", "423498000")),
    Isotope("C-11", 1223.0, ("40565003", "C-105A1"), ("129510001", "C-B103E", "129513004", "C-B1043", "126703")),
    Isotope("N-13", 598.0, ("21576001", "C-107A1"), ("129508003", "C-B103C")),
    Isotope("O-15", 122.24, ("129504001", "C-B1038"), ("129505000", "C-B1039", "129507008", "C-B103B")),
    Isotope("Rb-82", 75.45, ("79197006", "C-159A2"), ("129503007", "C-B1037")),
    Isotope("Cu-64", 12.701 * _HOUR, ("3932008", "C-127A2"), ("422855001", "C-B07DB", "126510")),
    Isotope("Zr-89", 78.41 * _HOUR, ("63360001", "C-168A4"), ("126511", "126512")),
    Isotope("I-124", 4.176 * _DAY, ("40937006", "C-114A5"), ("422980002", "C-B07E8", "423249007", "C-114AA")),
    Isotope("Tc-99m", 6.0067 * _HOUR, ("72454006", "C-163A8"), ("96390006", "424299003", "424118002"), True),
    Isotope("Lu-177", 6.647 * _DAY, ("447553000", "C-101ED"), ("781259000",), True),
    Isotope("In-111", 2.8047 * _DAY, ("56609000", "C-145A4"), ("446800006",), True),
    Isotope("I-123", 13.2234 * _HOUR, ("21572004", "C-114A4"), ("429296007", "395787009"), True),
    Isotope("I-131", 8.0252 * _DAY, ("1368003", "C-114B1"), ("395789007", "111160004"), True),
    Isotope("Tl-201", 3.0421 * _DAY, ("60057003", "C-138A9"), ("73685002",), True),
    Isotope("Ga-67", 3.2617 * _DAY, ("2008008", "C-131A2"), ("73065000",), True),
)  # fmt: skip


def isotope_of(tracer: Dataset) -> Isotope | None:
    """The nuclide that an item of RadiopharmaceuticalInformationSequence names by a code; None for an unknown one.

    The code of the nuclide counts before the code of the radiopharmaceutical.
    """
    nuclides = _code_values(tracer, "RadionuclideCodeSequence")
    pharmaceuticals = _code_values(tracer, "RadiopharmaceuticalCodeSequence")
    for isotope in ISOTOPES:
        if nuclides & set(isotope.codes):
            return isotope
    for isotope in ISOTOPES:
        if pharmaceuticals & set(isotope.tracers):
            return isotope
    return None


def _code_values(tracer: Dataset, keyword: str) -> set[str]:
    return {str(item.get("CodeValue", "") or "").strip() for item in tracer.get(keyword) or ()}
