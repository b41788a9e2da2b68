"""What the panel remembers in the scene."""

from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLVolumeNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper


@parameterNodeWrapper
class FusionParameters:
    """Parameters of the panel.

    referenceVolume, secondVolume, thirdVolume, fourthVolume - The sources; the first gives the grid.
    method, mode, device - As in the method list; an empty method takes the default for the modalities.
    register - How the further volumes are registered to the reference first.
    fusedVolume - The newest result.
    opacity - Of the functional layer: 0 anatomy only, 1 function only.
    overlay - Whether tumours are drawn.
    """

    referenceVolume: vtkMRMLScalarVolumeNode
    secondVolume: vtkMRMLScalarVolumeNode
    thirdVolume: vtkMRMLScalarVolumeNode
    fourthVolume: vtkMRMLScalarVolumeNode
    method: str = ""
    mode: str = "auto"
    device: str = "auto"
    register: str = "none"
    fusedVolume: vtkMRMLVolumeNode
    opacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.5
    overlay: bool = True
