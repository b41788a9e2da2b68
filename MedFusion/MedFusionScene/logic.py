"""Fuse volume nodes: the one entry point of the panel, the console and scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import slicer

import MedFusionLib
from MedFusionLib.errors import UsageError
from MedFusionLib.result import FusionResult
from MedFusionLib.volume import Case
from MedFusionScene.hanging import follow_new_views
from MedFusionScene.nodes import volume_from_node
from MedFusionScene.segmentations import segmentation_from_node
from MedFusionScene.show import ResultNodes, show_result


def fuse_nodes(
    nodes: Sequence,
    *,
    method: str | None = None,
    mode: str = "auto",
    device: str = "auto",
    precision: str = "exact",
    tumour=None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    name: str | None = None,
    scene=None,
    **options,
):
    """Fuse volume nodes and show the result beside them.

    Parameters
    ----------
    nodes : sequence of vtkMRMLScalarVolumeNode
        Reference first; two or more.
    method, mode, device, precision, progress, cancelled, options
        As for `MedFusionLib.fuse`.
    tumour : vtkMRMLSegmentationNode, or as for `MedFusionLib.fuse`
        The tumour to draw and measure.
    name : str or None
        Name of the fused node.
    scene : vtkMRMLScene or None
        None takes ``slicer.mrmlScene``.

    Returns
    -------
    vtkMRMLVolumeNode
        The node to look at: colour where a source is functional, else the fusion index.

    Raises
    ------
    MedFusionError
        As its message says; the scene is unchanged then.
    """
    case = prepare(nodes)
    if hasattr(tumour, "GetSegmentation"):
        tumour = segmentation_from_node(tumour)
    result = MedFusionLib.fuse(case, method, mode, device, precision, tumour=tumour,
                               progress=progress, cancelled=cancelled, **options)  # fmt: skip
    return show(result, nodes, scene, name=name).main


def prepare(nodes: Sequence) -> Case:
    """The case for a set of nodes; call it in the main thread.

    The voxels are copied, so that the scene may change while the fusion runs in another thread.

    Raises
    ------
    UsageError
        For fewer than two nodes, the same node twice, or a node that is not a scalar image.
    """
    if len(nodes) < 2:
        raise UsageError(f"{len(nodes)} volumes were chosen", "a reference and at least one more volume")
    if len({node.GetID() for node in nodes if node is not None}) < len([node for node in nodes if node is not None]):
        raise UsageError("The same volume was chosen twice", "different volumes")
    volumes = [volume_from_node(node) for node in nodes]
    return Case([replace(volume, array=volume.array.copy()) for volume in volumes])


def show(result: FusionResult, nodes: Sequence, scene=None, *, name: str | None = None) -> ResultNodes:
    """Put a result beside its source nodes; call it in the main thread."""
    made = show_result(result, scene or slicer.mrmlScene, source_nodes=nodes)
    follow_new_views(made.main.GetScene())
    if name:
        made.main.SetName(name)
    return made
