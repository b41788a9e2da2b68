"""Put a fusion result into a scene."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import slicer

from MedFusionLib.colour import DEFAULT_TABLE
from MedFusionLib.intensity import Window
from MedFusionLib.io.results import describe_result
from MedFusionLib.result import FusionResult
from MedFusionLib.volume import Volume
from MedFusionScene.display import show_colours, show_window, table_for
from MedFusionScene.hanging import Hanging, hang
from MedFusionScene.nodes import colour_node_from_array, node_from_volume
from MedFusionScene.result_nodes import (
    COLOUR_REFERENCE,
    MAP_REFERENCES,
    RECORD_REFERENCE,
    SCALAR_REFERENCE,
    SOURCE_ATTRIBUTE,
    SOURCE_REFERENCE,
    ResultNodes,
)
from MedFusionScene.segmentations import node_from_segmentation
from MedFusionScene.transforms import transform_node


def show_result(
    result: FusionResult,
    scene,
    *,
    source_nodes: Sequence | None = None,
    segmentation_node=None,
    breathe: Callable[[], None] = lambda: None,
) -> ResultNodes:
    """Make nodes for a result and show it in all slice views.

    Parameters
    ----------
    result : FusionResult
        The result.
    scene : vtkMRMLScene
        Where the nodes go.
    source_nodes : sequence of vtkMRMLScalarVolumeNode or None
        The person's own nodes; without them the resampled sources are added.
    segmentation_node : vtkMRMLSegmentationNode or None
        The person's own tumour; without it the result's is added.
    breathe : callable
        Called after every node, so that an application can process events meanwhile.

    Returns
    -------
    ResultNodes
    """
    sources = tuple(source_nodes) if source_nodes else tuple(node_from_volume(v, scene) for v in result.sources)
    for node, volume, window in zip(sources, result.sources, result.windows):
        show_window(node, window)
        show_colours(node, table_for(volume.modality))

    def breathed(made):
        breathe()
        return made

    # the order is that of the nodes in the scene
    nodes = ResultNodes(
        sources=sources,
        functional=result.functional_index,
        fused=breathed(_unit_volume(result.fused, scene, "Fused", "grey")),
        colour=breathed(_colour(result, scene)),
        segmentation=breathed(segmentation_node or _tumour(result, scene, sources[0])),
        contribution=tuple(breathed(one) for one in _contribution(result, scene)),
        invention=breathed(_map(result, result.invention, scene, "Invention", DEFAULT_TABLE, Window(0.0, 0.2))),
        record=_record(result, scene),
        loss=tuple(breathed(one) for one in _loss(result, scene)),
        stability=breathed(_map(result, result.stability, scene, "Stability", DEFAULT_TABLE, Window(0.0, 0.1))),
        transforms=_transforms(result, scene),
    )
    _link(nodes)
    _arrange(nodes, scene)
    hang(scene, Hanging(nodes.sources, nodes))
    return nodes


def _colour(result: FusionResult, scene):
    if result.colour is None:
        return None
    return colour_node_from_array(result.colour, result.fused.geometry, scene, "Fused, colour")


def _tumour(result: FusionResult, scene, reference):
    if result.tumour is None:
        return None
    return node_from_segmentation(result.tumour, scene, reference=reference)


def _contribution(result: FusionResult, scene) -> Iterator:
    if result.contribution is None:
        return
    names = [f"Contribution of source {n} ({source.modality})" for n, source in enumerate(result.sources)]
    for share, name in zip(result.contribution, names):
        yield _map(result, share, scene, name, "grey", Window(0.0, 1.0))


def _loss(result: FusionResult, scene) -> Iterator:
    if result.loss is None:
        return
    names = [f"Loss of source {n} ({source.modality})" for n, source in enumerate(result.sources)]
    for one, name in zip(result.loss, names):
        yield _map(result, one, scene, name, DEFAULT_TABLE, Window(0.0, 0.2))


def _transforms(result: FusionResult, scene) -> tuple:
    made = []
    for number, transform in enumerate(result.transforms, start=1):
        if transform is not None:
            made.append(transform_node(transform, scene, f"Source {number} to reference"))
            made[-1].SetAttribute(SOURCE_ATTRIBUTE, str(number))
    return tuple(made)


def _map(result: FusionResult, array, scene, name: str, table: str, window: Window):
    if array is None:
        return None
    return _unit_volume(result.fused.with_array(array), scene, name, table, window)


def _unit_volume(volume: Volume, scene, name: str, table: str, window: Window | None = None):
    node = node_from_volume(volume, scene, name=name, window=window or Window(0.0, 1.0))
    show_colours(node, table)
    return node


def _record(result: FusionResult, scene):
    record = scene.AddNewNodeByClass("vtkMRMLTextNode", "Fusion record")
    record.SetText(json.dumps(describe_result(result), indent=1))
    return record


def _link(nodes: ResultNodes) -> None:
    """Let the fused nodes remember all others: a scene that is saved and loaded knows its results."""
    for node in filter(None, (nodes.fused, nodes.colour)):
        for source in nodes.sources:
            node.AddNodeReferenceID(SOURCE_REFERENCE, source.GetID())
        node.SetNodeReferenceID(RECORD_REFERENCE, nodes.record.GetID())
        node.SetNodeReferenceID(SCALAR_REFERENCE, nodes.fused.GetID())
        if nodes.colour is not None:
            node.SetNodeReferenceID(COLOUR_REFERENCE, nodes.colour.GetID())
        for part, reference in MAP_REFERENCES.items():
            found = getattr(nodes, part)
            for one in found if isinstance(found, tuple) else filter(None, (found,)):
                node.AddNodeReferenceID(reference, one.GetID())


def _arrange(nodes: ResultNodes, scene) -> None:
    """Put results beside the reference in the subject hierarchy; DICOM attributes stay with the originals."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    beside = hierarchy.GetItemParent(_item(hierarchy, nodes.sources[0]))
    folder = hierarchy.CreateFolderItem(beside, f"MedFusion: {nodes.sources[0].GetName()}")
    images = [nodes.colour, nodes.fused, nodes.segmentation]
    maps = [*nodes.contribution, nodes.invention, *nodes.loss, nodes.stability]
    made = [*images, *maps, *nodes.transforms, nodes.record]
    for node in filter(None, made):
        hierarchy.SetItemParent(_item(hierarchy, node), folder)


def _item(hierarchy, node) -> int:
    """The node's item; the application makes it by itself, without it that is left to us."""
    return hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
