"""Sound files to start from: a mutation of nothing finds nothing."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from dicom_multiframe import write_enhanced, write_spect
from dicom_writer import Recipe, pet_tags, write_series
from MedFusionLib.io import write_volume
from MedFusionLib.volume import Geometry, Volume

SHAPE = (2, 3, 4)


def write_seeds(folder: Path) -> list[tuple[str, Path]]:
    """Write the files; suffix and path of each."""
    volume = Volume(np.arange(24, dtype=np.float32).reshape(SHAPE), Geometry(SHAPE, np.eye(4)))
    found = [(suffix, write_volume(volume, folder / f"a{suffix}")) for suffix in (".nii", ".nii.gz", ".nrrd", ".mha")]
    for name, recipe in {
        "ct": Recipe("CT", shape=(1, 3, 4)), "pet": Recipe("PT", shape=(1, 3, 4), tags=pet_tags()),
    }.items():  # fmt: skip
        write_series(folder / name, recipe)
        found.append((".dcm", next((folder / name).iterdir())))
    write_enhanced(folder / "mr.dcm", Recipe("MR", shape=SHAPE))
    write_spect(folder / "nm.dcm", Recipe("MR", shape=SHAPE), 3.0)
    found += [(".dcm", folder / "mr.dcm"), (".dcm", folder / "nm.dcm")]
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(found[-1][1], "a.dcm")
    return [*found, (".zip", folder / "a.zip")]
