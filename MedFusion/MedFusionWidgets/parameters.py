"""What the panel remembers in the scene."""

from typing import Annotated

from slicer import (
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLMarkupsROINode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLVolumeNode,
)
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper


@parameterNodeWrapper
class FusionParameters:
    """Parameters of the panel.

    referenceVolume, secondVolume, thirdVolume, fourthVolume - The sources; the first gives the grid.
    method, mode, device, precision - As in the method list; an empty method takes the default for the modalities.
    separateProcess - Whether the fusion runs in a process of its own.
    model - As what the next registration moves: rigid, affine, bspline.
    tumourSegmentation, tumourSeed, tumourRoi, tumourMethod - The tumour, or where and how to find it.
    fusedVolume - The newest result.
    opacity - Of the functional layer: 0 anatomy only, 1 function only.
    overlay - Whether tumours are drawn.
    protocol, shown, trustMap - Layout, what its fused views show, and the map of trust on top of that.
    projection, projectionAngle - What the projection shows, and from where (degrees).
    isFamiliar - Whether the person's preferences were taken over into this scene.
    legend, annotation, crosshair - Whether legends, text and the linked crosshair are drawn.
    """

    referenceVolume: vtkMRMLScalarVolumeNode
    secondVolume: vtkMRMLScalarVolumeNode
    thirdVolume: vtkMRMLScalarVolumeNode
    fourthVolume: vtkMRMLScalarVolumeNode
    method: str = ""
    mode: str = "auto"
    device: str = "auto"
    precision: str = "exact"
    separateProcess: bool = False
    model: str = "rigid"
    tumourSegmentation: vtkMRMLSegmentationNode
    tumourSeed: vtkMRMLMarkupsFiducialNode
    tumourRoi: vtkMRMLMarkupsROINode
    tumourMethod: str = "auto"
    fusedVolume: vtkMRMLVolumeNode
    opacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.5
    overlay: bool = True
    protocol: str = ""
    shown: str = ""
    trustMap: str = ""
    projection: str = "function"
    projectionAngle: Annotated[float, WithinRange(0.0, 360.0)] = 0.0
    legend: bool = True
    annotation: bool = True
    crosshair: bool = False
    isFamiliar: bool = False
