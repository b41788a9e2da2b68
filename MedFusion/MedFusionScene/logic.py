"""Fuse volume nodes: the one entry point of the panel, the console and scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import slicer

import MedFusionLib
from MedFusionLib.errors import UsageError
from MedFusionLib.result import FusionResult
from MedFusionLib.volume import Case
from MedFusionScene.hanging import follow_new_views
from MedFusionScene.nodes import check_kind, to_world, world_geometry
from MedFusionScene.segmentations import on_grid_of, segmentation_from_node
from MedFusionScene.show import ResultNodes, show_result
from MedFusionScene.snapshot import Snapshot, take_snapshot


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
    case, transforms = case_of(take_snapshots(nodes))
    if any(transforms):
        if options.get("transform") is not None:
            raise UsageError("A transform was given for volumes that are under a bending one", "one of the two")
        options["transform"] = transforms
    if hasattr(tumour, "GetSegmentation"):
        tumour = on_grid_of(segmentation_from_node(tumour), [world_geometry(node) for node in nodes])
    result = MedFusionLib.fuse(case, method, mode, device, precision, tumour=tumour,
                               progress=progress, cancelled=cancelled, **options)  # fmt: skip
    return show(result, nodes, scene, name=name).main


def take_snapshots(nodes: Sequence) -> list[Snapshot]:
    """What a set of nodes holds; call it in the main thread, it copies nothing.

    Raises
    ------
    UsageError
        For fewer than two nodes, the same node twice, or a node that is not a scalar image.
    NotSupported
        When the first node, whose grid the result has, is under a transform that bends space.
    """
    if len(nodes) < 2:
        raise UsageError(f"{len(nodes)} volumes were chosen", "a reference and at least one more volume")
    chosen = [node.GetID() for node in nodes if node is not None]
    if len(set(chosen)) < len(chosen):
        raise UsageError("The same volume was chosen twice", "different volumes")
    check_kind(nodes[0])
    to_world(nodes[0])  # a bent grid is no grid
    return [take_snapshot(node) for node in nodes]


def case_of(snapshots: Sequence[Snapshot]) -> tuple[Case, list]:
    """The case of snapshots, and per further source the transform that bends it (or None); any thread will do.

    The voxels are copied, so that the scene may change afterwards.

    Raises
    ------
    UsageError
        When values are not finite.
    """
    return Case([one.volume(copied=True) for one in snapshots]), [one.transform for one in snapshots[1:]]


def show(
    result: FusionResult,
    nodes: Sequence,
    scene=None,
    *,
    name: str | None = None,
    segmentation_node=None,
    breathe: Callable[[], None] = lambda: None,
) -> ResultNodes:
    """Put a result beside its source nodes; call it in the main thread. The arguments are those of `show_result`."""
    made = show_result(
        result, scene or slicer.mrmlScene, source_nodes=nodes, segmentation_node=segmentation_node, breathe=breathe
    )
    follow_new_views(made.main.GetScene())
    if name:
        made.main.SetName(name)
    return made
