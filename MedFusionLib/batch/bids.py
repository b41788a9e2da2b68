"""Cases from a data set in BIDS form [K. J. Gorgolewski et al., Sci. Data 3 (2016) 160044]."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from MedFusionLib.batch.choice import Candidate, chosen
from MedFusionLib.batch.files import voxels_of
from MedFusionLib.batch.plan import PARTICIPANT, SESSION, PlannedCase, Source, label, problem_of
from MedFusionLib.errors import MedFusionError

_SUFFIXES = {
    "T1w": "MR", "T2w": "MR", "FLAIR": "MR", "PDw": "MR", "T2starw": "MR", "inplaneT1": "MR", "pet": "PT", "ct": "CT",
    "spect": "NM",
}  # fmt: skip
_DATATYPES = ("anat", "pet", "ct", "nm")


def is_bids(path: Path) -> bool:
    """Whether a folder describes itself as BIDS and holds participants."""
    return (path / "dataset_description.json").is_file() and any(path.glob(f"{PARTICIPANT}*"))


def cases_of_bids(path: Path, participants: Sequence[str], pick: Sequence[str]) -> list[PlannedCase]:
    """One case per participant and session.

    Anatomical images and PET; CT and SPECT where a data set has such folders. The first run of an image is taken;
    dynamic PET is refused when it is read. `pick` names suffixes or values of entities (``T1w``, ``pet``).
    """
    wanted = {name.removeprefix(PARTICIPANT) for name in participants}
    cases = []
    for folder in sorted(path.glob(f"{PARTICIPANT}*")):
        name = folder.name.removeprefix(PARTICIPANT)
        if folder.is_dir() and (not wanted or name in wanted):
            sessions = sorted(p for p in folder.glob(f"{SESSION}*") if p.is_dir())
            cases += [_case(name, place, pick) for place in sessions or [folder]]
    return cases


def _case(participant: str, folder: Path, pick: Sequence[str]) -> PlannedCase:
    session = folder.name.removeprefix(SESSION) if folder.name.startswith(SESSION) else ""
    case = PlannedCase(label(participant), session)
    try:
        return chosen(case, _candidates(folder), pick)
    except MedFusionError as error:
        return PlannedCase(case.participant, session, problem=problem_of(error))


def _candidates(folder: Path) -> list[Candidate]:
    found = []
    for datatype in _DATATYPES:
        for path in sorted((folder / datatype).glob("*.nii*")):
            name = re.sub(r"\.nii(\.gz)?$", "", path.name)
            *entities, suffix = name.split("_")
            if suffix not in _SUFFIXES:
                continue
            words = tuple(word.lower() for word in (suffix, *entities) if not word.startswith((PARTICIPANT, SESSION)))
            modality = _SUFFIXES[suffix]
            source = Source(str(path), modality, suffix=suffix, voxels=voxels_of(path))
            found.append(Candidate(source, modality, words))
    return found
