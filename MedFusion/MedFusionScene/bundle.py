"""Scene bundles (.mrb): written whole, and read back voxel by voxel."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import slicer

from MedFusionLib.errors import ResourcesExhausted, UnreadableFile
from MedFusionLib.io.write import disk_error


def save_bundle(scene, path: str | Path) -> Path:
    """Write the scene with all its data into one .mrb file.

    Raises
    ------
    UsageError, ResourcesExhausted
        When it cannot be written; nothing is left behind.
    """
    path = Path(path)
    try:
        # the scene names its inner folder after the file, so the name must be the final one
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent) as folder:
            temporary = Path(folder) / path.name
            with _same_working_folder():
                written = scene.WriteToMRB(str(temporary.absolute()))
            if not written or not temporary.is_file():
                raise ResourcesExhausted(f"{path.name} could not be written", "free disk space and a writable folder")
            os.replace(temporary, path)
    except OSError as error:
        raise disk_error(error, path) from error
    return path


def open_bundle(scene, path: str | Path) -> None:
    """Read an .mrb file into the scene; colour volumes stay colour volumes.

    Raises
    ------
    UnreadableFile
        When the file is missing or broken.
    """
    path = Path(path)
    with _same_working_folder():
        opened = path.is_file() and scene.ReadFromMRB(str(path.absolute()))
    if not opened:
        raise UnreadableFile(f"{path.name} cannot be read as a scene", "an .mrb file")
    kind = "vtkMRMLVectorVolumeNode"
    for number in range(scene.GetNumberOfNodesByClass(kind)):
        node = scene.GetNthNodeByClass(number, kind)
        if node.GetVoxelVectorType() == slicer.vtkMRMLVolumeNode.VoxelVectorTypeUndefined:
            node.SetVoxelVectorType(slicer.vtkMRMLVolumeNode.VoxelVectorTypeColorRGB)


@contextmanager
def _same_working_folder() -> Iterator[None]:
    """Come back to the working folder: after a broken archive Slicer stays in a temporary one that it removes.

    A process without a working folder cannot start others, nor load some libraries.
    """
    before = os.getcwd()
    try:
        yield
    finally:
        os.chdir(before)
