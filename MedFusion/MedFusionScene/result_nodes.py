"""The nodes of one result, and how a scene remembers which they are."""

from __future__ import annotations

from dataclasses import dataclass

SOURCE_REFERENCE = "medfusionSource"
SCALAR_REFERENCE = "medfusionScalar"
RECORD_REFERENCE = "medfusionRecord"
COLOUR_REFERENCE = "medfusionColour"
MAP_REFERENCES = {
    "segmentation": "medfusionTumour",
    "contribution": "medfusionContribution",
    "invention": "medfusionInvention",
    "loss": "medfusionLoss",
    "stability": "medfusionStability",
    "transforms": "medfusionTransform",
}
"""Role of the node references that a fused node keeps, by what they lead to."""
SOURCE_ATTRIBUTE = "MedFusion.Source"
"""Of a transform: number of the source that it brings onto the reference."""


@dataclass(frozen=True, eq=False)
class ResultNodes:
    """The nodes of one result.

    Parameters
    ----------
    fused : vtkMRMLScalarVolumeNode
        The fusion index.
    colour : vtkMRMLVectorVolumeNode or None
        The colour volume, where a source is functional.
    sources : tuple of vtkMRMLScalarVolumeNode
        The sources, reference first.
    functional : int or None
        Which source is the functional one.
    segmentation : vtkMRMLSegmentationNode or None
        The tumour.
    contribution : tuple of vtkMRMLScalarVolumeNode
        Shares per source.
    invention : vtkMRMLScalarVolumeNode or None
        Where the fused volume leaves its sources.
    record : vtkMRMLTextNode
        What made the result, as JSON.
    loss : tuple of vtkMRMLScalarVolumeNode
        What each source lost; empty where it was not asked for.
    stability : vtkMRMLScalarVolumeNode or None
        What would change under 1 mm of misregistration and noise.
    transforms : tuple of vtkMRMLTransformNode
        How registered sources were brought onto the reference.
    """

    fused: object
    colour: object | None
    sources: tuple
    functional: int | None
    segmentation: object | None
    contribution: tuple
    invention: object | None
    record: object
    loss: tuple = ()
    stability: object | None = None
    transforms: tuple = ()

    @property
    def main(self) -> object:
        """The node to look at: colour where there is one, else the fusion index."""
        return self.colour or self.fused
