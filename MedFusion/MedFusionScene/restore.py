"""Find results in a scene that was saved and loaded, or that another script has filled."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import slicer.util

from MedFusionLib.errors import MedFusionError, UsageError
from MedFusionLib.intensity import Window
from MedFusionLib.result import FusionResult, Verdict
from MedFusionLib.units import UNKNOWN
from MedFusionLib.volume import FUNCTIONAL_MODALITIES, Case, Geometry, Volume
from MedFusionScene.nodes import modality_of, volume_from_node, world_geometry
from MedFusionScene.result_nodes import (
    COLOUR_REFERENCE,
    MAP_REFERENCES,
    RECORD_REFERENCE,
    SCALAR_REFERENCE,
    SOURCE_ATTRIBUTE,
    SOURCE_REFERENCE,
    ResultNodes,
)
from MedFusionScene.segmentations import on_grid_of, segmentation_from_node
from MedFusionScene.snapshot import take_snapshot
from MedFusionScene.transforms import transform_from_node

_SEVERAL = ("contribution", "loss", "transforms")


def result_nodes(scene, node=None) -> ResultNodes | None:
    """The nodes of a result, by what its fused node remembers.

    Parameters
    ----------
    scene : vtkMRMLScene
        The scene.
    node : vtkMRMLVolumeNode or None
        The fused index or its colour volume; None takes the newest result of the scene.

    Returns
    -------
    ResultNodes or None
        None when the node is no result, the scene has none, or a source or the record was deleted.
    """
    fused = _newest(scene) if node is None else node.GetNodeReference(SCALAR_REFERENCE)
    if fused is None:
        return None
    sources = _all(fused, SOURCE_REFERENCE)
    record = fused.GetNodeReference(RECORD_REFERENCE)
    if record is None or len(sources) < fused.GetNumberOfNodeReferences(SOURCE_REFERENCE) or len(sources) < 2:
        return None
    parts = {part: _all(fused, reference) for part, reference in MAP_REFERENCES.items()}
    parts = {part: found if part in _SEVERAL else (found or (None,))[0] for part, found in parts.items()}
    colour = fused.GetNodeReference(COLOUR_REFERENCE)
    return ResultNodes(
        fused=fused, colour=colour, sources=sources, functional=_functional(sources) if colour else None,
        record=record, **parts,
    )  # fmt: skip


def result_from_nodes(nodes: ResultNodes, known: FusionResult | None = None) -> FusionResult:
    """The result behind nodes of a scene, for export and reports.

    The voxels come from the nodes as they are now; verdict, metrics, timings and provenance from the
    record. Sources are brought onto the fused grid once more, through the transforms in the scene. A
    tumour that was edited since the fusion is measured anew.

    Parameters
    ----------
    nodes : ResultNodes
        The nodes.
    known : FusionResult or None
        What the fusion gave back, where it is still at hand: only the tumour and edits come from the
        scene then.

    Raises
    ------
    UsageError
        When the record cannot be read.
    MedFusionError
        For a source or transform that has become unreadable.
    """
    record = _read(nodes)
    if known is None:
        known = _rebuilt(nodes, record)
    provenance = {**known.provenance, "edits": record["edits"]} if record.get("edits") else known.provenance
    return replace(known, tumour=_tumour(nodes, record["tumour"] or {}), provenance=provenance)


def _read(nodes: ResultNodes) -> dict:
    try:
        record = json.loads(nodes.record.GetText())
        missing = {"sources", "alignment", "tumour", "metrics", "timings", "provenance"} - set(record)
        if not missing:
            return record
        reason = "without " + ", ".join(sorted(missing))
    except (ValueError, TypeError) as error:
        reason = type(error).__name__
    raise UsageError(
        f"The record of {nodes.fused.GetName()} cannot be read ({reason})", "the text that the fusion wrote",
        "Fuse again",
    )  # fmt: skip


def _rebuilt(nodes: ResultNodes, record: dict) -> FusionResult:
    fused = volume_from_node(nodes.fused, modality="OT", unit="1")
    transforms, alignment = _transforms(nodes), record["alignment"]
    return FusionResult(
        fused=fused,
        sources=_placed(nodes, transforms, fused.geometry),
        windows=tuple(Window(**said["window"]) for said in record["sources"]),
        colour=None if nodes.colour is None else np.array(slicer.util.arrayFromVolume(nodes.colour)),
        contribution=_stack(nodes.contribution),
        invention=_array(nodes.invention),
        alignment=Verdict(alignment["status"], tuple(alignment["reasons"]), alignment["evidence"]),
        metrics=record["metrics"],
        timings=record["timings"],
        provenance=record["provenance"],
        loss=_stack(nodes.loss),
        stability=_array(nodes.stability),
        transforms=transforms,
    )


def _newest(scene):
    kind = "vtkMRMLScalarVolumeNode"
    found = (scene.GetNthNodeByClass(n, kind) for n in reversed(range(scene.GetNumberOfNodesByClass(kind))))
    return next((node for node in found if node.GetNodeReference(SCALAR_REFERENCE) is node), None)


def _all(node, reference: str) -> tuple:
    found = (node.GetNthNodeReference(reference, n) for n in range(node.GetNumberOfNodeReferences(reference)))
    return tuple(one for one in found if one is not None)


def _functional(sources) -> int | None:
    """As `FusionResult.functional_index` chooses."""
    functional = [n for n, node in enumerate(sources) if modality_of(node) in FUNCTIONAL_MODALITIES]
    return ([n for n in functional if n > 0] or functional or [None])[0]


def _transforms(nodes: ResultNodes) -> tuple:
    found: list = [None] * (len(nodes.sources) - 1) if nodes.transforms else []
    for node in nodes.transforms:
        number = int(node.GetAttribute(SOURCE_ATTRIBUTE) or 0)
        if 1 <= number <= len(found):
            found[number - 1] = transform_from_node(node)
    return tuple(found)


def _placed(nodes: ResultNodes, transforms: tuple, geometry: Geometry | None) -> tuple[Volume, ...]:
    """The sources on a grid; without one on their own voxels, except where a transform bends or moves them."""
    from MedFusionLib.align import resample_to

    recorded = dict(enumerate(transforms, start=1))
    placed = []
    for number, node in enumerate(nodes.sources):
        snapshot = take_snapshot(node)
        transform = snapshot.transform or recorded.get(number)
        grid = geometry or (placed[0].geometry if transform is not None else snapshot.geometry)
        placed.append(resample_to(snapshot.volume(), grid, transform=transform))
    return tuple(placed)


def _array(node) -> np.ndarray | None:
    return None if node is None else volume_from_node(node, modality="OT", unit=UNKNOWN).array


def _stack(nodes) -> np.ndarray | None:
    return np.stack([_array(node) for node in nodes]) if nodes else None


def _tumour(nodes: ResultNodes, said: dict):
    """The segmentation as it is now, with the measures of the fusion, or new ones when it was edited since."""
    from MedFusionLib.tumour import tumour_of

    if nodes.segmentation is None:
        return None
    try:
        found = segmentation_from_node(nodes.segmentation)
    except MedFusionError:  # emptied by hand meanwhile
        return None
    found = on_grid_of(found, [world_geometry(node) for node in (nodes.fused, *nodes.sources)])
    measures = tuple(said.get("segments", ()))
    voxel_ml = float(np.prod(found.geometry.spacing_mm)) / 1000
    now = [int((found.labels == segment.label).sum()) * voxel_ml for segment in found.segments]
    before = [one.get("volume_ml", -1.0) for one in measures]
    if len(now) == len(before) and np.allclose(now, before, rtol=1e-3):
        return replace(found, measures=measures)
    return tumour_of(Case(_placed(nodes, _transforms(nodes), None)), found)
