"""What voxel values mean: modality and unit from file, sidecar, arguments or file name."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from MedFusionLib import units
from MedFusionLib.errors import UnreadableFile, UsageError
from MedFusionLib.io.limits import MOST_SIDECAR_BYTES
from MedFusionLib.units import Unit, parse_unit
from MedFusionLib.volume import MODALITIES

logger = logging.getLogger(__name__)

_NAME_TOKENS = {
    "ct": "CT", "ldct": "CT", "mr": "MR", "mri": "MR", "t1": "MR", "t1w": "MR", "t1c": "MR", "t2": "MR", "t2w": "MR",
    "flair": "MR", "pd": "MR", "pt": "PT", "pet": "PT", "fdg": "PT", "spect": "NM", "nm": "NM",
}  # fmt: skip
_SIDECAR_MODALITIES = {"PET": "PT", "MRI": "MR", "SPECT": "NM"}
_AIR_AT_MOST = -500.0


@dataclass(frozen=True)
class Meaning:
    """Modality, unit and what had to be guessed."""

    modality: str
    unit: Unit
    notes: tuple[str, ...] = ()


def stem_of(path: Path) -> str:
    """File name without its extensions (``.nii.gz`` counts as one)."""
    name = path.name
    for suffix in (".nii.gz", ".seg.nrrd"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def find_meaning(path: Path, modality: str | None, unit: str | Unit | None, lowest: float) -> Meaning:
    """Modality and unit of a file that carries neither itself.

    In this order: JSON sidecar of the same stem, arguments, file name. A guess is noted and logged.

    Parameters
    ----------
    path : Path
        The image file.
    modality, unit
        What the caller says, or None.
    lowest : float
        Smallest voxel value: CT without a unit is taken for HU only if there is air.

    Raises
    ------
    UsageError
        When an argument contradicts the sidecar or names an unknown modality or unit.
    """
    notes = []
    said = check_modality(modality)
    sidecar = _read_sidecar(path)
    stated = _SIDECAR_MODALITIES.get(str(sidecar.get("Modality", "")).upper(), str(sidecar.get("Modality", "")).upper())
    if stated and stated not in MODALITIES:
        raise UnreadableFile(
            f"The sidecar of {path.name} states modality {stated!r}", "one of " + ", ".join(MODALITIES)
        )
    if stated and said and stated != said:
        raise UsageError(f"{path.name} is {stated} by its sidecar, but {said} was given", "the same modality")
    found = stated or said
    if not found:
        found = guess_modality(stem_of(path))
        if found != "OT":
            notes.append(f"modality {found} guessed from the file name")
    return Meaning(found, *_find_unit(path, found, parse_unit(unit), sidecar, lowest, notes))


def check_modality(modality: str | None) -> str | None:
    """The modality in capitals.

    Raises
    ------
    UsageError
        For an unknown one.
    """
    if modality is None:
        return None
    if modality.upper() not in MODALITIES:
        raise UsageError(f"Unknown modality {modality!r}", "one of " + ", ".join(MODALITIES))
    return modality.upper()


def _find_unit(path, modality, given, sidecar, lowest, notes) -> tuple[Unit, tuple[str, ...]]:
    stated = _sidecar_unit(sidecar, notes)
    if stated.is_known and given.is_known and stated != given:
        raise UsageError(f"{path.name} is in {stated} by its sidecar, but {given} was given", "the same unit")
    found = stated if stated.is_known else given
    if not found.is_known and modality == "CT" and lowest <= _AIR_AT_MOST:
        found = units.HOUNSFIELD
        notes.append(f"unit HU guessed for CT, since the values reach down to {lowest:g}")
    elif not found.is_known and modality == "MR":
        found = units.ARBITRARY
    for note in notes:
        logger.warning("%s: %s", path.name, note)
    return found, tuple(notes)


def _sidecar_unit(sidecar: dict, notes: list[str]) -> Unit:
    try:
        return parse_unit(str(sidecar.get("Units") or ""))
    except UsageError:  # sidecars state units of many sciences, and "g/ml" does not say which SUV
        notes.append("the sidecar states a unit that is not one of MedFusion's")
        return units.UNKNOWN


def guess_modality(name: str) -> str:
    """The modality that a name speaks of; OT for none."""
    for token in re.split(r"[^a-z0-9]+", name.lower()):
        if token in _NAME_TOKENS:
            return _NAME_TOKENS[token]
    return "OT"


def _read_sidecar(path: Path) -> dict:
    sidecar = path.with_name(stem_of(path) + ".json")
    if not sidecar.is_file():
        return {}
    if sidecar.stat().st_size > MOST_SIDECAR_BYTES:
        raise UnreadableFile(f"The sidecar {sidecar.name} is larger than 1 MB", "a small JSON file")
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFile(f"The sidecar {sidecar.name} is not readable JSON", "a JSON object") from error
    if not isinstance(content, dict):
        raise UnreadableFile(f"The sidecar {sidecar.name} is not a JSON object", "a JSON object")
    return content
