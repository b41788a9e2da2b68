"""Between segmentation nodes and the library's segmentations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from MedFusionLib.errors import NotSupported, UsageError
from MedFusionLib.io.segmentation_file import parse_terminology, terminology_tag
from MedFusionLib.segmentation import Segment, Segmentation
from MedFusionLib.volume import Geometry
from MedFusionScene.nodes import to_world

LABELMAP = "Binary labelmap"
SURFACE = "Closed surface"


def node_from_segmentation(segmentation: Segmentation, scene, *, name: str = "Tumour", reference=None):
    """A segmentation node with names, colours and terminology, shown as outline and surface.

    Parameters
    ----------
    segmentation : Segmentation
        The segments.
    scene : vtkMRMLScene
        Where the node goes.
    name : str
        Name of the node.
    reference : vtkMRMLScalarVolumeNode or None
        The original image whose geometry editing shall use.
    """
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    if reference is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(reference)
    for segment in segmentation.segments:
        node.GetSegmentation().AddSegment(_vtk_segment(segmentation, segment), f"Segment_{segment.label}")
    node.CreateClosedSurfaceRepresentation()
    _style(node.GetDisplayNode())
    return node


def segmentation_from_node(node) -> Segmentation:
    """The library's view of a segmentation node: labels 1, 2 ... on the box around all segments.

    Linear parent transforms are applied to the geometry; the node itself is never touched.

    Raises
    ------
    UsageError
        When the node is missing or empty.
    NotSupported
        When segments overlap, or under a non-linear transform.
    """
    if node is None or node.GetSegmentation().GetNumberOfSegments() == 0:
        raise UsageError("The segmentation has no segments", "at least one segment")
    _check_overlap(node)
    merged = slicer.vtkOrientedImageData()
    if not node.GenerateMergedLabelmapForAllSegments(merged):
        raise UsageError(f"{node.GetName()} cannot be turned into labels", "non-empty segments")
    labels = vtk_to_numpy(merged.GetPointData().GetScalars()).reshape(merged.GetDimensions()[::-1])
    matrix = vtk.vtkMatrix4x4()
    merged.GetImageToWorldMatrix(matrix)
    ijk_to_ras = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
    low = np.array(merged.GetExtent()[::2], dtype=np.float64)
    ijk_to_ras[:3, 3] += ijk_to_ras[:3, :3] @ low
    segments = tuple(_segment(node, number) for number in range(node.GetSegmentation().GetNumberOfSegments()))
    # the labels are a view of memory that ends with the merged image
    return Segmentation(labels.copy(), Geometry(labels.shape, to_world(node) @ ijk_to_ras), segments)


def on_grid_of(segmentation: Segmentation, grids: Sequence[Geometry | None]) -> Segmentation:
    """The segmentation on the grid of a volume that it was drawn on.

    A scene keeps labels as the box around them; exports and measures know the slices of whole volumes.

    Parameters
    ----------
    segmentation : Segmentation
        As `segmentation_from_node` gives it.
    grids : sequence of Geometry or None
        Grids to choose from; the first one whose voxels are those of the labels is taken.

    Returns
    -------
    Segmentation
        The same one when the labels lie on none of the grids.
    """
    labels, box = segmentation.labels, segmentation.geometry
    for grid in filter(None, grids):
        step = np.linalg.inv(grid.ijk_to_ras) @ box.ijk_to_ras
        first = np.rint(step[:3, 3]).astype(int)[::-1]
        aligned = np.allclose(step[:3, :3], np.eye(3), atol=1e-4) and np.allclose(step[:3, 3], first[::-1], atol=1e-2)
        if aligned and (first >= 0).all() and (first + labels.shape <= grid.shape).all():
            whole = np.zeros(grid.shape, labels.dtype)
            whole[tuple(slice(start, start + count) for start, count in zip(first, labels.shape))] = labels
            return replace(segmentation, labels=whole, geometry=grid)
    return segmentation


def _check_overlap(node) -> None:
    """Refuse segments that share voxels: one label map would silently lose some of them."""
    if node.GetSegmentation().GetNumberOfLayers(LABELMAP) < 2:
        return
    packed = slicer.vtkSegmentation()
    packed.DeepCopy(node.GetSegmentation())
    packed.CollapseBinaryLabelmaps(False)
    if packed.GetNumberOfLayers(LABELMAP) > 1:
        raise NotSupported(
            f"Segments of {node.GetName()} overlap", "segments without a common voxel",
            "Choose one of them, or mask them against each other in the Segment Editor",
        )  # fmt: skip


def _vtk_segment(segmentation: Segmentation, segment: Segment):
    found = slicer.vtkSegment()
    found.SetName(segment.name)
    found.SetColor(*segment.colour)
    found.SetTag(found.GetTerminologyEntryTagName(), terminology_tag(segment))
    found.AddRepresentation(LABELMAP, _oriented_image(segmentation.mask(segment), segmentation.geometry))
    return found


def _oriented_image(mask: np.ndarray, geometry: Geometry):
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*geometry.shape[::-1])
    scalars = numpy_to_vtk(np.ascontiguousarray(mask, dtype=np.uint8).ravel(), deep=True)
    scalars.SetName("Labels")
    image.GetPointData().SetScalars(scalars)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(geometry.ijk_to_ras.ravel().tolist())
    image.SetImageToWorldMatrix(matrix)
    return image


def _segment(node, number: int) -> Segment:
    found = node.GetSegmentation().GetNthSegment(number)
    entry = vtk.mutable("")
    codes = parse_terminology(str(entry)) if found.GetTag(found.GetTerminologyEntryTagName(), entry) else None
    label, colour = number + 1, tuple(found.GetColor())
    if codes is None:
        return Segment(label, found.GetName(), colour)
    return Segment(label, found.GetName(), colour, codes[1], codes[0])


def _style(display) -> None:
    display.SetVisibility2DOutline(True)
    display.SetOpacity2DOutline(1.0)
    display.SetVisibility2DFill(False)  # a fill would tint the values underneath
    display.SetSliceIntersectionThickness(2)
    display.SetOpacity3D(0.9)
