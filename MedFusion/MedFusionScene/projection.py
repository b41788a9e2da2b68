"""Maximum intensity projection of the function or of the fused volume, turned around the patient's long axis."""

from __future__ import annotations

import math

import slicer
import vtk

from MedFusionLib.errors import UsageError
from MedFusionScene.layouts import VolumeCell

NAME = "MedFusion projection"
DISTANCE = 2.2
"""Of the camera, in largest sides of the volume."""


def show_projection(volume_node, rendering_logic, view_node, *, inverted: bool = True):
    """Project a scalar volume in a 3-D view, in the window that its slices have.

    Parameters
    ----------
    volume_node : vtkMRMLScalarVolumeNode
        The functional source, or the fusion index.
    rendering_logic : vtkSlicerVolumeRenderingLogic
        Of Slicer or of the headless application.
    view_node : vtkMRMLViewNode
        The view.
    inverted : bool
        Dark on white, as nuclear medicine reads whole-body projections; else bright on black.

    Returns
    -------
    vtkMRMLVolumeRenderingDisplayNode

    Raises
    ------
    UsageError
        For a colour volume, whose colours have no order and so no maximum.
    """
    if volume_node.IsA("vtkMRMLVectorVolumeNode"):
        raise UsageError(f"{volume_node.GetName()} is in colour", "the fusion index or a source")
    display = rendering_logic.GetFirstVolumeRenderingDisplayNode(volume_node)
    if display is None:
        display = rendering_logic.CreateDefaultVolumeRenderingNodes(volume_node)
        display.SetAndObserveROINodeID(None)
        display.SetFollowVolumeDisplayNode(False)
    volume_property = display.GetVolumePropertyNode().GetVolumeProperty()
    opacity, colour = _ramps(volume_node.GetDisplayNode(), inverted=inverted)
    volume_property.SetScalarOpacity(opacity)
    volume_property.SetColor(colour)
    volume_property.SetShade(False)
    volume_property.SetInterpolationTypeToLinear()
    view_node.SetRaycastTechnique(slicer.vtkMRMLViewNode.MaximumIntensityProjection)
    view_node.SetRenderMode(slicer.vtkMRMLViewNode.Orthographic)
    view_node.SetBoxVisible(False)
    view_node.SetAxisLabelsVisible(False)
    paper = (1.0, 1.0, 1.0) if inverted else (0.0, 0.0, 0.0)
    view_node.SetBackgroundColor(*paper)
    view_node.SetBackgroundColor2(*paper)
    _show_only(display, view_node)
    return display


def hide_projections(scene, view_node) -> None:
    """Leave a 3-D view without volumes."""
    kind = "vtkMRMLVolumeRenderingDisplayNode"
    for number in range(scene.GetNumberOfNodesByClass(kind)):
        display = scene.GetNthNodeByClass(number, kind)
        if display.IsViewNodeIDPresent(view_node.GetID()):
            display.SetVisibility(False)


def turn_projection(scene, view_node, volume_node, degrees: float) -> bool:
    """Look at the volume from another side.

    Parameters
    ----------
    degrees : float
        0 looks from the front, the patient's right at the left of the picture; 90 from the patient's left.

    Returns
    -------
    bool
        False when the view has no camera yet.
    """
    camera = _camera_of(scene, view_node)
    if camera is None:
        return False
    bounds = [0.0] * 6
    volume_node.GetRASBounds(bounds)
    centre = [(bounds[2 * n] + bounds[2 * n + 1]) / 2 for n in range(3)]
    size = max(bounds[2 * n + 1] - bounds[2 * n] for n in range(3))
    angle = math.radians(degrees)
    camera.SetFocalPoint(*centre)
    camera.SetPosition(centre[0] - DISTANCE * size * math.sin(angle), centre[1] + DISTANCE * size * math.cos(angle),
                       centre[2])  # fmt: skip
    camera.SetViewUp(0.0, 0.0, 1.0)
    camera.SetParallelScale(0.55 * size)
    camera.ResetClippingRange()
    return True


def spin_projection(view_node, *, spinning: bool) -> None:
    """Let Slicer turn the view by itself, one round in 12 s."""
    view_node.SetSpinDegrees(3.0)
    view_node.SetAnimationMs(100)
    view_node.SetSpinDirection(slicer.vtkMRMLViewNode.YawLeft)
    kind = slicer.vtkMRMLViewNode
    view_node.SetAnimationMode(kind.Spin if spinning else kind.Off)


def projection_view(scene):
    """The view node of the projection in the protocols' layouts, or None before one was shown."""
    return scene.GetSingletonNode(VolumeCell().view_name, "vtkMRMLViewNode")


def _ramps(display, *, inverted: bool) -> tuple:
    low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
    opacity, colour = vtk.vtkPiecewiseFunction(), vtk.vtkColorTransferFunction()
    opacity.AddPoint(low, 0.0)
    opacity.AddPoint(high, 1.0)
    # opacity does the shading: what shows through is the paper
    shade = 0.0 if inverted else 1.0
    for value in (low, high):
        colour.AddRGBPoint(value, shade, shade, shade)
    return opacity, colour


def _show_only(display, view_node) -> None:
    """Show one projection in the view, and it nowhere else."""
    hide_projections(display.GetScene(), view_node)
    display.RemoveAllViewNodeIDs()
    display.AddViewNodeID(view_node.GetID())
    display.SetVisibility(True)


def _camera_of(scene, view_node):
    kind = "vtkMRMLCameraNode"
    cameras = (scene.GetNthNodeByClass(number, kind) for number in range(scene.GetNumberOfNodesByClass(kind)))
    return next((camera for camera in cameras if camera.GetLayoutName() == view_node.GetLayoutName()), None)
