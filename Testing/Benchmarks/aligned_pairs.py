"""Real pairs that line up, and known ways of moving one of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    # read by the numerical libraries when they are first imported
    os.environ.setdefault(variable, "1")
PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "Testing" / "support")]

from MedFusionLib import read_volume  # noqa: E402
from MedFusionLib.volume import Geometry, Volume  # noqa: E402

MNI = {"MR-MR": (("T1", "T2"), ("T1", "PD"), ("PD", "T2")), "MR-PT": (("T1", "PET"),), "MR-NM": (("T1", "SPECT"),)}
GLIOMA = (("t1", "t1c"), ("t1", "t2"), ("t1", "flair"), ("t1c", "t2"), ("t1c", "flair"), ("t2", "flair"))
MODALITY = {"PET": "PT", "SPECT": "NM"}
GREY_LEVEL = 0.8
AANLIB_SPACING_MM = (1.0, 1.0, 5.0)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two volumes that line up by their source.

    Parameters
    ----------
    group : str
        What is reported together, for example ``mni MR-PT``.
    name : str
        Of the pair.
    reference, moving : Volume
        The volumes.
    in_plane : bool
        Whether only movements within the slice are known.
    """

    group: str
    name: str
    reference: Volume
    moving: Volume
    in_plane: bool = False


def data_folder() -> Path:
    """The folder with real volumes, named by MEDFUSION_TEST_DATA."""
    folder = Path(os.environ.get("MEDFUSION_TEST_DATA", ""))
    if not (folder / "mni_multimodal").is_dir():
        raise SystemExit("MEDFUSION_TEST_DATA must name the folder that holds mni_multimodal, lgg_du7294, aanlib2d")
    return folder


def brain_pairs(folder: Path) -> Iterator[Pair]:
    """Pairs of the MNI templates and of one glioma patient."""
    for kinds, names in MNI.items():
        for first, second in names:
            volumes = (
                read_volume(folder / "mni_multimodal" / f"spm_{n}.nii.gz", MODALITY.get(n, "MR"))
                for n in (first, second)
            )
            yield Pair(f"mni {kinds}", f"{first}-{second}", *volumes)
    for first, second in GLIOMA:
        volumes = (read_volume(folder / "lgg_du7294" / f"{n}.nii.gz", "MR") for n in (first, second))
        yield Pair("glioma MR-MR", f"{first}-{second}", *volumes)


def simulated_pair(folder: Path) -> Pair:
    """The T1 template and a PET simulated from it, which lies where the T1 does by construction.

    Uptake is highest at the brightness of grey matter, a third of that in white matter, little elsewhere;
    5 % noise per voxel, blurred to 6 mm full width at half maximum.
    """
    anatomy = read_volume(folder / "mni_multimodal" / "spm_T1.nii.gz", "MR")
    level = ndimage.gaussian_filter(anatomy.array, 0.5) / np.percentile(anatomy.array, 99)
    parts, _ = ndimage.label(ndimage.binary_erosion((level > 0.45) & (level < 1.1), iterations=3))
    brain = ndimage.binary_dilation(parts == np.bincount(parts.ravel())[1:].argmax() + 1, iterations=4)
    grey = np.exp(-(((level - GREY_LEVEL) / 0.09) ** 2))
    white = 0.35 / (1 + np.exp(-(level - GREY_LEVEL) / 0.03))
    activity = np.where(brain, 0.15 + np.maximum(grey, white), 0.15 * (level > 0.2))
    activity *= 1 + np.random.default_rng(1).normal(0, 0.05, activity.shape)
    activity = ndimage.gaussian_filter(activity, [6 / 2.355 / step for step in anatomy.geometry.spacing_kji_mm])
    return Pair("simulated MR-PT", "T1-simulated", anatomy, Volume(activity, anatomy.geometry, "PT", name="simulated"))


def picture_pairs(folder: Path, kind: str = "ct_mri") -> Iterator[Pair]:
    """One stack of slices per case of the two-dimensional atlas; the pixel is taken as 1 mm."""
    first, second = kind.split("_")
    files = sorted((folder / "aanlib2d" / kind / first).glob("*.png"))
    cases = sorted({path.stem[:-3] for path in files}, key=int)
    for case in cases:
        paths = [path for path in files if path.stem[:-3] == case]
        stacks = [_stack([folder / "aanlib2d" / kind / one / p.name for p in paths]) for one in (second, first)]
        geometry = Geometry(stacks[0].shape, np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.diag([*AANLIB_SPACING_MM, 1.0]))
        modalities = [{"mri": "MR", "ct": "CT", "pet": "PT", "spect": "NM"}[one] for one in (second, first)]
        volumes = [Volume(s, geometry, m, name=m) for s, m in zip(stacks, modalities)]
        yield Pair(f"atlas {second}-{first}", f"case {case}", *volumes, in_plane=True)


def moved(volume: Volume, matrix: np.ndarray) -> Volume:
    """The volume carried elsewhere by a 4x4 (RAS to RAS); its voxels stay what they are."""
    return Volume(volume.array, Geometry(volume.geometry.shape, matrix @ volume.geometry.ijk_to_ras),
                  volume.modality, volume.unit, volume.name)  # fmt: skip


def varied(volume: Volume, rng: np.random.Generator) -> Volume:
    """A look-alike: up to a tenth cut off at every side, and noise of one percent of the range."""
    cut = [sorted((int(n * rng.uniform(0, 0.1)), n - int(n * rng.uniform(0, 0.1)))) for n in volume.array.shape]
    if volume.array.shape[0] < 40:
        cut[0] = [0, volume.array.shape[0]]
    array = volume.array[tuple(slice(*c) for c in cut)]
    array = array + rng.normal(0, 0.01 * np.ptp(array), array.shape).astype(np.float32)
    matrix = volume.geometry.ijk_to_ras.copy()
    matrix[:3, 3] = volume.geometry.to_ras([c[0] for c in cut[::-1]])
    return Volume(array, Geometry(array.shape, matrix), volume.modality, volume.unit, volume.name)


def shift(vector_mm: np.ndarray) -> np.ndarray:
    """(4, 4) RAS to RAS of a shift."""
    matrix = np.eye(4)
    matrix[:3, 3] = vector_mm
    return matrix


def rotation(vector_deg: np.ndarray, centre_ras: np.ndarray) -> np.ndarray:
    """(4, 4) RAS to RAS of a turn about an axis through a centre; the vector's length is the angle."""
    from scipy.spatial.transform import Rotation

    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(vector_deg, degrees=True).as_matrix()
    matrix[:3, 3] = centre_ras - matrix[:3, :3] @ centre_ras
    return matrix


def random_direction(rng: np.random.Generator, *, in_plane: bool = False) -> np.ndarray:
    """(3,) unit vector, within the R-A plane if asked for."""
    direction = rng.normal(size=3) * ((1, 1, 0) if in_plane else (1, 1, 1))
    return direction / np.linalg.norm(direction)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    z, share = 1.959964, hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def _stack(paths: list[Path]) -> np.ndarray:
    from MedFusionLib.io.picture import read_pixels

    slices = [np.asarray(read_pixels(path), np.float32) for path in paths]
    return np.stack([s if s.ndim == 2 else s.mean(axis=-1) for s in slices])
