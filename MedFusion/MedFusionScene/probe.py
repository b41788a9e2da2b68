"""What lies under the crosshair: the value of every source with its unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import slicer
import vtk

from MedFusionLib.units import Unit
from MedFusionScene.nodes import modality_of, unit_of


@dataclass(frozen=True)
class Reading:
    """The value of one volume at one place.

    Parameters
    ----------
    name : str
        Of the volume node.
    modality : str
        CT, MR, PT, NM or OT.
    value : float, tuple of float, or None
        Of the nearest voxel, as it is stored: never interpolated, so that it can be found again in
        the data. Several numbers for a colour volume; None outside the field of view.
    unit : Unit
        Of the value.
    ijk : (3,) tuple of int or None
        The voxel; None outside.
    """

    name: str
    modality: str
    value: float | tuple[float, ...] | None
    unit: Unit
    ijk: tuple[int, int, int] | None

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.modality}: outside"
        if isinstance(self.value, tuple):
            return f"{self.modality}: " + ", ".join(f"{one:.4g}" for one in self.value)
        return f"{self.modality}: {self.value:.4g} {self.unit}"


def values_at(nodes: Iterable, ras: Sequence[float]) -> tuple[Reading, ...]:
    """What volumes hold at a place, through their parent transforms, on any grid.

    Parameters
    ----------
    nodes : iterable of vtkMRMLVolumeNode
        The volumes.
    ras : (3,) sequence of float
        World RAS in mm.

    Returns
    -------
    tuple of Reading
        One per volume, in the same order.
    """
    return tuple(_reading(node, ras) for node in nodes)


def describe_position(ras: Sequence[float]) -> str:
    """A place in words of the patient, such as ``R 12.0  P 3.5  S 40.0 mm``."""
    letters = (("R", "L"), ("A", "P"), ("S", "I"))
    words = [f"{pair[value < 0]} {abs(value):.1f}" for pair, value in zip(letters, ras)]
    return "  ".join(words) + " mm"


class CursorFollower:
    """Tells what lies under the mouse in any view, as the scene's crosshair node reports it.

    Parameters
    ----------
    scene : vtkMRMLScene
        The scene.
    nodes : callable
        Gives the volumes to read; asked at every move, so that it may change its mind.
    told : callable
        Called with the readings and the position (RAS in mm, or None when the mouse left all views).
    """

    def __init__(self, scene, nodes: Callable[[], Iterable], told: Callable) -> None:
        self._nodes, self._told = nodes, told
        self._crosshair = crosshair_node(scene)
        self._tag = None
        if self._crosshair is not None:
            event = slicer.vtkMRMLCrosshairNode.CursorPositionModifiedEvent
            self._tag = self._crosshair.AddObserver(event, self._moved)

    def stop(self) -> None:
        """Let go of the scene."""
        if self._tag is not None:
            self._crosshair.RemoveObserver(self._tag)
        self._tag = self._crosshair = None

    def _moved(self, *event) -> None:
        ras = [0.0, 0.0, 0.0]
        if not self._crosshair.GetCursorPositionRAS(ras):
            self._told((), None)
            return
        alive = [node for node in self._nodes() if node is not None and node.GetScene() is not None]
        self._told(values_at(alive, ras), tuple(ras))


def crosshair_node(scene):
    """The scene's crosshair, or None without any."""
    kind = "vtkMRMLCrosshairNode"
    return scene.GetNthNodeByClass(0, kind) if scene.GetNumberOfNodesByClass(kind) else None


def show_crosshair(scene, *, shown: bool) -> None:
    """Draw a crosshair in all slice views that follows the mouse with Shift held down, all views jumping along."""
    crosshair = crosshair_node(scene)
    if crosshair is None:
        return
    crosshair.SetCrosshairMode(crosshair.ShowSmallBasic if shown else crosshair.NoCrosshair)
    crosshair.SetCrosshairBehavior(crosshair.OffsetJumpSlice)


def _reading(node, ras: Sequence[float]) -> Reading:
    modality = modality_of(node)
    image = node.GetImageData()
    found = None if image is None else _voxel(node, image, ras)
    if found is None:
        return Reading(node.GetName(), modality, None, unit_of(node), None)
    count = image.GetNumberOfScalarComponents()
    numbers = tuple(image.GetScalarComponentAsDouble(*found, component) for component in range(count))
    return Reading(node.GetName(), modality, numbers if count > 1 else numbers[0], unit_of(node), found)


def _voxel(node, image, ras: Sequence[float]) -> tuple[int, int, int] | None:
    """The voxel whose centre is nearest along every axis of the grid; None outside."""
    point = list(ras)
    if node.GetParentTransformNode() is not None:
        to_node = vtk.vtkGeneralTransform()
        slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, node.GetParentTransformNode(), to_node)
        point = list(to_node.TransformPoint(point))
    matrix = vtk.vtkMatrix4x4()
    node.GetRASToIJKMatrix(matrix)
    ijk = tuple(math.floor(value + 0.5) for value in matrix.MultiplyPoint([*point, 1.0])[:3])
    return ijk if all(0 <= n < size for n, size in zip(ijk, image.GetDimensions())) else None
