"""A volume node as it is now, taken in the main thread and turned into a volume in any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer
import slicer.util

from MedFusionLib.errors import UsageError
from MedFusionLib.units import Unit
from MedFusionLib.volume import Geometry, Origin, Volume
from MedFusionScene import nodes
from MedFusionScene.transforms import is_bent, transform_of_parents

if TYPE_CHECKING:
    import SimpleITK


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What a volume node held.

    Parameters
    ----------
    voxels : (K, J, I) array
        The node's own memory: what edits it in place changes it here, too.
    geometry : Geometry
        In the world where the parent transforms are linear, else in the node's own space.
    modality, unit, name, source
        As for `Volume`.
    transform : SimpleITK.Transform or None
        World LPS to the node's LPS, where a parent transform bends space.
    """

    voxels: np.ndarray
    geometry: Geometry
    modality: str
    unit: Unit
    name: str
    source: Origin
    transform: SimpleITK.Transform | None = None

    def volume(self, *, copied: bool = False) -> Volume:
        """The voxels as a volume; float32 ones are shared unless a copy is asked for.

        Raises
        ------
        UsageError
            When values are not finite.
        """
        array = np.array(self.voxels, np.float32) if copied else np.asarray(self.voxels, np.float32)
        if not np.isfinite(array).all():
            raise UsageError(f"{self.name} holds values that are not finite", "a number in every voxel")
        return Volume(array, self.geometry, self.modality, self.unit, self.name, self.source)


def take_snapshot(node, *, modality: str | None = None, unit: str | Unit | None = None) -> Snapshot:
    """What a scalar volume node holds; call it in the main thread, it copies nothing.

    Parameters
    ----------
    node : vtkMRMLScalarVolumeNode
        Not a label map, colour or sequence volume.
    modality, unit
        Override what the node says.

    Raises
    ------
    UsageError
        When the node is missing, empty, a label map, or in colour.
    """
    nodes.check_kind(node)
    voxels = slicer.util.arrayFromVolume(node)
    if voxels.ndim != 3:
        raise UsageError(f"{node.GetName()} has {voxels.shape[-1]} components per voxel", "one number per voxel")
    found, notes = nodes.modality_and_notes(node, modality)
    bent = is_bent(node)
    matrix = nodes.own_matrix(node) if bent else nodes.world_matrix(node)
    return Snapshot(
        voxels, Geometry(voxels.shape, matrix), found, nodes.unit_as(node, found, unit), node.GetName(),
        Origin(frame_of_reference=nodes.frame_of(node), notes=notes), transform_of_parents(node) if bent else None,
    )  # fmt: skip
