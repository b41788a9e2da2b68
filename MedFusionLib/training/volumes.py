"""Training pairs cut from registered volumes, for networks that need no pictures of unknown licence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MedFusionLib.align import to_reference
from MedFusionLib.errors import UsageError
from MedFusionLib.intensity import default_window, normalise
from MedFusionLib.io import read_volume
from MedFusionLib.training.pairs import Pair, Pairs
from MedFusionLib.volume import Case

LEAST_SHOWN = 0.05
"""Slices in which less is shown of either source are left out."""
SMALLEST = 128
"""Slices get black borders until their sides are as long as that."""


@dataclass(frozen=True)
class VolumePair:
    """Two volumes of one case.

    Parameters
    ----------
    set : str
        What they are.
    files : tuple of str
        Below the folder with the data; the anatomical one first.
    modalities : tuple of str
        CT, MR, PT or NM.
    """

    set: str
    files: tuple[str, str]
    modalities: tuple[str, str]


PAIRS = (
    VolumePair("mr_pet", ("mni_multimodal/spm_T1.nii.gz", "mni_multimodal/spm_PET.nii.gz"), ("MR", "PT")),
    VolumePair("mr_spect", ("mni_multimodal/spm_T2.nii.gz", "mni_multimodal/spm_SPECT.nii.gz"), ("MR", "NM")),
    VolumePair("mr_ct", ("sts_001/nifti/MR_T1_image.nii.gz", "sts_001/nifti/CT_image.nii.gz"), ("MR", "CT")),
    VolumePair("ct_pet", ("sts_001/nifti/CT_image.nii.gz", "sts_001/nifti/PET_image.nii.gz"), ("CT", "PT")),
    VolumePair("mr_mr", ("lgg_du7294/t1c.nii.gz", "lgg_du7294/flair.nii.gz"), ("MR", "MR")),
)


def read_volume_pairs(folder: Path) -> Pairs:
    """Slices of all pairs of volumes below a folder, none held back.

    Raises
    ------
    UsageError
        When none of the files is there.
    """
    train = [pair for volumes in PAIRS if _is_there(folder, volumes) for pair in _slices(folder, volumes)]
    if not train:
        raise UsageError(f"{folder} holds none of the volumes", ", ".join(pair.files[0] for pair in PAIRS))
    return Pairs(train, [])


def _is_there(folder: Path, volumes: VolumePair) -> bool:
    return all((Path(folder) / name).is_file() for name in volumes.files)


def _slices(folder: Path, volumes: VolumePair) -> list[Pair]:
    read = [read_volume(Path(folder) / name, modality=m) for name, m in zip(volumes.files, volumes.modalities)]
    case = to_reference(Case(read))
    stack = np.stack([normalise(source, default_window(source)) for source in case.sources])
    found = []
    for number in range(stack.shape[1]):
        pixels = np.rint(255 * stack[:, number]).astype(np.uint8)
        if min((one > 8).mean() for one in pixels) >= LEAST_SHOWN:
            found.append(Pair(volumes.set, volumes.files[0], str(number), _wide_enough(pixels)))
    return found


def _wide_enough(pixels: np.ndarray) -> np.ndarray:
    missing = [max(0, SMALLEST - length) for length in pixels.shape[1:]]
    return np.pad(pixels, ((0, 0), *((n // 2, n - n // 2) for n in missing)))
