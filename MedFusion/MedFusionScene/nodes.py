"""Between MRML volume nodes and the library's volumes."""

from __future__ import annotations

import numpy as np
import slicer
import slicer.util
import vtk

from MedFusionLib import units
from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.intensity import Window
from MedFusionLib.io.meaning import check_modality, guess_modality
from MedFusionLib.units import Unit, parse_unit
from MedFusionLib.volume import MODALITIES, Geometry, Volume
from MedFusionScene.database import frame_of_reference_of

MODALITY_ATTRIBUTE = "MedFusion.Modality"
FRAME_ATTRIBUTE = "MedFusion.FrameOfReference"

_QUANTITIES = {
    units.SUV_BODY_WEIGHT.code: ("126400", "DCM", "Standardized Uptake Value"),
    units.HOUNSFIELD.code: ("112031", "DCM", "Attenuation Coefficient"),
}


def volume_from_node(node, *, modality: str | None = None, unit: str | Unit | None = None) -> Volume:
    """The library's view of a scalar volume node; float32 voxels are shared, not copied.

    Linear parent transforms are applied to the geometry of the returned volume; the node itself is
    never touched.

    Parameters
    ----------
    node : vtkMRMLScalarVolumeNode
        Not a label map, colour or sequence volume.
    modality, unit
        Override what the node says.

    Raises
    ------
    UsageError
        When the node is missing, empty, a label map, in colour, or holds values that are not finite.
    NotSupported
        Under a non-linear transform; `take_snapshot` hands that over as a transform.
    """
    check_kind(node)
    from MedFusionScene.snapshot import take_snapshot

    to_world(node)  # refuses what bends space
    return take_snapshot(node, modality=modality, unit=unit).volume()


def node_from_volume(volume: Volume, scene, *, name: str | None = None, window: Window | None = None):
    """A scalar volume node with the volume's voxels, geometry, modality and unit, shown in a window.

    Without a window Slicer looks for one, which takes several times as long as everything else.
    """
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name or volume.name)
    _fill(node, volume.array, volume.geometry, None if window is None else (window.lower, window.upper))
    node.SetAttribute(MODALITY_ATTRIBUTE, volume.modality)
    if volume.source.frame_of_reference:
        node.SetAttribute(FRAME_ATTRIBUTE, volume.source.frame_of_reference)
    set_unit(node, volume.unit)
    return node


def colour_node_from_array(colours: np.ndarray, geometry: Geometry, scene, name: str):
    """A colour volume node from (K, J, I, 3) uint8."""
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", name)
    node.SetVoxelVectorType(slicer.vtkMRMLVolumeNode.VoxelVectorTypeColorRGB)
    _fill(node, colours, geometry, (0, 255))  # Slicer would stretch the contrast of colours as well
    return node


def set_modality(node, modality: str) -> None:
    """Write what a volume node shows onto it; it outranks what DICOM said."""
    node.SetAttribute(MODALITY_ATTRIBUTE, check_modality(modality))


def set_unit(node, unit: Unit) -> None:
    """Write a unit (and its quantity, where it has a standard one) onto a volume node; an unknown one takes it away."""
    node.SetVoxelValueQuantity(None)
    if not unit.is_known:
        node.SetVoxelValueUnits(None)
        return
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(unit.code, "UCUM", unit.meaning)
    node.SetVoxelValueUnits(entry)
    if unit.code in _QUANTITIES:
        quantity = slicer.vtkCodedEntry()
        quantity.SetValueSchemeMeaning(*_QUANTITIES[unit.code])
        node.SetVoxelValueQuantity(quantity)


def world_geometry(node) -> Geometry | None:
    """The grid of a volume node in the world; None under a transform that bends space."""
    parent = node.GetParentTransformNode()
    if parent is not None and not parent.IsTransformToWorldLinear():
        return None
    return Geometry(node.GetImageData().GetDimensions()[::-1], world_matrix(node))


def to_world(node) -> np.ndarray:
    """(4, 4) from a node's own RAS to world RAS in mm, through all of its parent transforms.

    Raises
    ------
    NotSupported
        When one of them is not linear.
    """
    parent = node.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    if not parent.IsTransformToWorldLinear():
        raise NotSupported(
            f"{node.GetName()} is under a non-linear transform", "no transform or a linear one",
            "Harden the transform in the Transforms module first",
        )  # fmt: skip
    world = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(world)
    return slicer.util.arrayFromVTKMatrix(world)


def _fill(node, array: np.ndarray, geometry: Geometry, window: tuple[float, float] | None) -> None:
    if window is not None:
        # before there are voxels: Slicer looks for a window as soon as it sees some
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetAutoWindowLevel(False)
        if hasattr(display, "SetAutoThreshold"):  # colours have none
            display.SetAutoThreshold(False)
        display.SetWindowLevelMinMax(*window)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(array))
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(geometry.ijk_to_ras.ravel().tolist())
    node.SetIJKToRASMatrix(matrix)
    node.CreateDefaultDisplayNodes()


def check_kind(node) -> None:
    """Refuse what cannot be a source.

    Raises
    ------
    UsageError
        For no node, a label map, a colour or sequence volume, or an empty one.
    """
    if node is None:
        raise UsageError("No volume was chosen", "a scalar volume")
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise UsageError(
            f"{node.GetName()} is a label map", "an image", "Label maps are chosen as tumour, not as source"
        )
    if not node.IsA("vtkMRMLVolumeNode"):
        raise UsageError(f"{node.GetName()} is not a volume ({node.GetNodeTagName()})", "a scalar volume")
    if not node.IsA("vtkMRMLScalarVolumeNode") or node.IsA("vtkMRMLVectorVolumeNode"):
        raise UsageError(
            f"{node.GetName()} is in colour or holds several values per voxel", "one number per voxel",
            "Choose the original series: colours carry no quantity",
        )  # fmt: skip
    if node.GetImageData() is None or node.GetImageData().GetNumberOfPoints() == 0:
        raise UsageError(f"{node.GetName()} is empty", "a volume with voxels")


def own_matrix(node) -> np.ndarray:
    """(4, 4) voxel (I, J, K) to the node's own RAS, without its parent transforms."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def world_matrix(node) -> np.ndarray:
    """(4, 4) voxel (I, J, K) to world RAS, through the parent transforms."""
    return to_world(node) @ own_matrix(node)


def modality_and_notes(node, given: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Argument, then our own attribute (a person's choice), then what DICOM said, then a guess from the name."""
    for said in (check_modality(given), node.GetAttribute(MODALITY_ATTRIBUTE), _dicom_modality(node)):
        if said in MODALITIES:
            return said, ()
    guess = guess_modality(node.GetName())
    return guess, () if guess == "OT" else (f"modality {guess} guessed from the name",)


def _dicom_modality(node) -> str | None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node) if hierarchy else 0
    return hierarchy.GetItemAttribute(item, "DICOM.Modality") if item else None


def unit_as(node, modality: str, given: str | Unit | None = None) -> Unit:
    """Argument, then what the node says; MR is in arbitrary units, a DICOM CT in HU."""
    if given is not None:
        return parse_unit(given)
    entry = node.GetVoxelValueUnits()
    code = entry.GetCodeValue() if entry else ""
    for unit in units.KNOWN_UNITS:
        # Slicer writes the fusion index's code, 1, onto every MR that it loads from DICOM
        if unit.code == code and (unit != units.FUSION_INDEX or modality == "OT"):
            return unit
    if modality == "MR":
        return units.ARBITRARY
    # Slicer reads CT in HU; only a DICOM series is known to be one
    return units.HOUNSFIELD if modality == "CT" and _dicom_modality(node) == "CT" else units.UNKNOWN


def frame_of(node) -> str:
    """The hashed frame of reference of a volume node; empty when unknown, and under a transform: it moved away."""
    if node.GetParentTransformNode() is not None:
        return ""
    return node.GetAttribute(FRAME_ATTRIBUTE) or frame_of_reference_of(node)


def modality_of(node) -> str:
    """The modality of a volume node by DICOM, by our own attribute, or by its name; OT otherwise."""
    return modality_and_notes(node)[0]


def unit_of(node) -> Unit:
    """The unit of a volume node's values, as `volume_from_node` reads it; unknown when nothing says it."""
    return unit_as(node, modality_of(node))


def describe_node(node) -> str:
    """One line on a volume node: name, modality, unit, voxels.

    Raises
    ------
    UsageError
        For what cannot be a source, as `volume_from_node` does.
    """
    check_kind(node)
    modality = modality_of(node)
    columns, rows, slices = node.GetImageData().GetDimensions()
    size = " x ".join(f"{length:.3g}" for length in node.GetSpacing())
    meaning = f"{modality}, {unit_of(node)}"
    return f"{node.GetName()}: {meaning}, {columns} x {rows} x {slices} voxels of {size} mm"
