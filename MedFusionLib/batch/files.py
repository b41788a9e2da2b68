"""Volumes among the files of a folder, from names and headers alone."""

from __future__ import annotations

import re
from pathlib import Path

from MedFusionLib.batch.choice import Candidate
from MedFusionLib.batch.plan import Source
from MedFusionLib.io.meaning import guess_modality, stem_of

VOLUMES = (".nii", ".nii.gz", ".nrrd", ".mha")
_MASK_WORDS = {"mask", "seg", "gtv", "label", "labels", "tumour", "tumor", "lesion", "dseg", "roi"}


def volumes_in(folder: Path) -> tuple[list[Candidate], list[Path]]:
    """Candidates, and label maps by their names, of a folder's own files; subfolders count as DICOM series."""
    candidates, masks = [], []
    for path in sorted(folder.iterdir()):
        words = words_of(path)
        if path.name.startswith("."):
            continue
        if path.is_dir() and _MASK_WORDS & set(words):
            continue
        if path.is_dir():
            modality = guess_modality(path.name)
            if any(p.is_file() for p in path.iterdir()):
                candidates.append(Candidate(Source(str(path), None), modality, words))
        elif path.name.lower().endswith(VOLUMES):
            if _MASK_WORDS & set(words):
                masks.append(path)
            else:
                source = Source(str(path), voxels=voxels_of(path))
                candidates.append(Candidate(source, guess_modality(stem_of(path)), words))
    return candidates, masks


def words_of(path: Path) -> tuple[str, ...]:
    """Words of a file name, lower case."""
    return tuple(word for word in re.split("[^a-z0-9]+", stem_of(path).lower()) if word)


def voxels_of(path: Path) -> int:
    """Number of voxels that a NIfTI header states; 0 for other files and broken ones."""
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return 0
    from MedFusionLib.errors import MedFusionError
    from MedFusionLib.io.nifti import stated_voxels

    try:
        return stated_voxels(path)
    except (MedFusionError, OSError):
        return 0
