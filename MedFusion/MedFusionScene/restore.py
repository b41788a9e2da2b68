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
from MedFusionLib.volume import FUNCTIONAL_MODALITIES, Volume
from MedFusionScene.nodes import modality_of, volume_from_node
from MedFusionScene.result_nodes import (
    COLOUR_REFERENCE,
    MAP_REFERENCES,
    RECORD_REFERENCE,
    SCALAR_REFERENCE,
    SOURCE_ATTRIBUTE,
    SOURCE_REFERENCE,
    ResultNodes,
)
from MedFusionScene.segmentations import segmentation_from_node
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


def result_from_nodes(nodes: ResultNodes) -> FusionResult:
    """The result behind nodes of a scene, for export and reports.

    The voxels come from the nodes as they are now; verdict, metrics, timings and provenance from the
    record. Sources are brought onto the fused grid once more, through the transforms in the scene.

    Raises
    ------
    UsageError
        When the record cannot be read.
    MedFusionError
        For a source or transform that has become unreadable.
    """
    try:
        record = json.loads(nodes.record.GetText())
        windows = tuple(Window(**said["window"]) for said in record["sources"])
        alignment = record["alignment"]
        verdict = Verdict(alignment["status"], tuple(alignment["reasons"]), alignment["evidence"])
        said_tumour = record["tumour"] or {}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"The record of {nodes.fused.GetName()} cannot be read ({type(error).__name__})", "the text that the "
            "fusion wrote", "Fuse again",
        ) from error  # fmt: skip
    fused = volume_from_node(nodes.fused, modality="OT", unit="1")
    transforms = _transforms(nodes)
    return FusionResult(
        fused=fused,
        sources=_sources(nodes, fused, transforms),
        windows=windows,
        colour=None if nodes.colour is None else np.array(slicer.util.arrayFromVolume(nodes.colour)),
        contribution=_stack(nodes.contribution),
        invention=_array(nodes.invention),
        alignment=verdict,
        tumour=_tumour(nodes.segmentation, said_tumour),
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


def _sources(nodes: ResultNodes, fused: Volume, transforms: tuple) -> tuple[Volume, ...]:
    from MedFusionLib.align import resample_to

    moving = dict(enumerate(transforms, start=1))
    return tuple(
        resample_to(volume_from_node(node), fused.geometry, transform=moving.get(number))
        for number, node in enumerate(nodes.sources)
    )


def _array(node) -> np.ndarray | None:
    return None if node is None else volume_from_node(node, modality="OT", unit=UNKNOWN).array


def _stack(nodes) -> np.ndarray | None:
    return np.stack([_array(node) for node in nodes]) if nodes else None


def _tumour(node, said: dict):
    """The segmentation as it is now; measures only where the number of segments is what was measured."""
    if node is None:
        return None
    try:
        found = segmentation_from_node(node)
    except MedFusionError:  # emptied by hand meanwhile
        return None
    measures = tuple(said.get("segments", ()))
    return replace(found, measures=measures if len(measures) == len(found.segments) else ())
