"""Put the right volumes into every view of a hanging protocol."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import slicer
import vtk

from MedFusionScene.display import composite_nodes, layer_order, set_layers
from MedFusionScene.layouts import role_of
from MedFusionScene.legends import has_real_unit, hide_legend, show_legend
from MedFusionScene.restore import result_nodes
from MedFusionScene.result_nodes import ResultNodes
from MedFusionScene.trust_overlays import LOOKS, OPACITY, look_at_map

LAYERS, FUSED = "layers", "fused"
_LEGEND_PLANE = "Axial"


@dataclass(frozen=True, eq=False)
class Hanging:
    """What the views show.

    Parameters
    ----------
    sources : sequence of vtkMRMLScalarVolumeNode
        Reference first; two or more.
    result : ResultNodes or None
        Their fusion; without one the fused views show two layers.
    shown : {"fused", "layers"}
        What the fused views show.
    opacity : float
        Of the upper layer where two layers are shown: 0 anatomy only, 1 function only.
    map_name, map_source : str, int
        A map of trust on top of the fused volume, one of ``trust_overlays.LOOKS``, empty for none;
        and the source that it speaks of.
    """

    sources: Sequence
    result: ResultNodes | None = None
    shown: str = FUSED
    opacity: float = 0.5
    map_name: str = ""
    map_source: int = 0

    def layers(self, role: str) -> tuple:
        """Background, foreground (or None) and opacity of a view with a role."""
        anatomy, function = layer_order(self.sources)
        if role == "anatomy":
            return anatomy, None, 0.0
        if role == "function":
            return function, None, 0.0
        if role in LOOKS:
            found = self.map_of(role, self._moving_source() if role == "contribution" else 0)
            return (self.result.fused, found, OPACITY) if found is not None else (None, None, 0.0)
        if role == LAYERS or self.result is None or self.shown == LAYERS:
            return anatomy, function, self.opacity
        over = self.map_of(self.map_name, self.map_source) if self.map_name else None
        return (self.result.main, None, 0.0) if over is None else (self.result.fused, over, OPACITY)

    def _moving_source(self) -> int:
        """The functional source, or the second one: the contribution that a person asks about."""
        functional = self.result.functional if self.result is not None else None
        return 1 if functional is None else functional

    def map_of(self, name: str, source: int = 0):
        """A map's node, or None when the result has none."""
        found = getattr(self.result, name) if self.result is not None and name in LOOKS else None
        if isinstance(found, tuple):
            found = found[source] if source < len(found) else None
        return found


def hang(scene, hanging: Hanging) -> None:
    """Fill all views of the protocols; views of others show the fused volume, or the two layers."""
    for composite in composite_nodes(scene):
        hang_one(composite, hanging)


def hang_one(composite, hanging: Hanging) -> None:
    """Fill one view by its role, and link it with the others of its group."""
    role = role_of(composite.GetLayoutName())
    background, foreground, opacity = hanging.layers(role or FUSED)
    set_layers(composite, background, foreground, opacity)
    if role is not None:
        composite.SetLinkedControl(True)
        composite.SetHotLinkedControl(True)
    if hanging.result is not None and background is hanging.result.fused and foreground is not None:
        look_at_map(foreground, LOOKS[role if role in LOOKS else hanging.map_name])


def hang_legends(scene, hanging: Hanging, *, shown: bool) -> None:
    """Legends of the sources in their own units, each once: in the axial view where the source stands alone.

    Slicer's own layouts get them in the axial view. A fused volume in colours has none.
    """
    views = {}
    for composite in composite_nodes(scene):
        role, plane = role_of(composite.GetLayoutName()), _plane_of(composite)
        if plane == _LEGEND_PLANE:
            views.setdefault(role, []).append(_view_id(composite))
    anatomy, function = layer_order(hanging.sources)
    own = {anatomy: views.get("anatomy", []), function: [*views.get("function", []), *views.get(LAYERS, [])]}
    for node, ids in own.items():
        hide_legend(node)
        if shown and has_real_unit(node):
            elsewhere = views.get(None, [])
            show_legend(node, views=[one for one in (*ids, *elsewhere) if one])


def follow_new_views(scene) -> None:
    """Let views that are made later show the newest result, instead of nothing."""
    if scene in _followed:
        return
    _followed[scene] = scene.AddObserver(scene.NodeAddedEvent, _fill_new_view)


def look_at(scene, ras: Sequence[float]) -> None:
    """Let all slice views cut through a place (world RAS in mm) and centre on it."""
    kind = "vtkMRMLSliceNode"
    for number in range(scene.GetNumberOfNodesByClass(kind)):
        node = scene.GetNthNodeByClass(number, kind)
        node.JumpSliceByCentering(*(float(value) for value in ras))
        node.UpdateMatrices()


def fit_views(application_logic, volume_node, through_ras: Sequence[float] | None = None) -> None:
    """Show the whole of one volume, with one and the same zoom in all views of the protocols.

    Parameters
    ----------
    application_logic : vtkMRMLApplicationLogic
        Knows the views that are open.
    volume_node : vtkMRMLVolumeNode
        The reference.
    through_ras : (3,) sequence of float or None
        Where slices are cut, world RAS in mm; None takes the middle of the volume.
    """
    bounds = [0.0] * 6
    volume_node.GetRASBounds(bounds)
    middle = [(bounds[2 * n] + bounds[2 * n + 1]) / 2 for n in range(3)]
    # fitting alone snaps every view to slices of its own volume
    place = [float(value) for value in (middle if through_ras is None else through_ras)]
    logics = application_logic.GetSliceLogics()
    for number in range(logics.GetNumberOfItems() if logics is not None else 0):
        logic = logics.GetItemAsObject(number)
        node = logic.GetSliceNode()
        if node is None or role_of(node.GetLayoutName()) is None:
            continue
        width, height = node.GetDimensions()[:2]
        logic.FitSliceToVolume(volume_node, width, height)
        node.JumpSliceByOffsetting(*place)
        node.UpdateMatrices()


_followed: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


@vtk.calldata_type(vtk.VTK_OBJECT)
def _fill_new_view(scene, event, node) -> None:
    if node is None or not node.IsA("vtkMRMLSliceCompositeNode") or scene.IsBatchProcessing():
        return
    nodes = result_nodes(scene)
    if nodes is not None and not node.GetBackgroundVolumeID():
        hang_one(node, Hanging(nodes.sources, nodes))


def _view_id(composite) -> str | None:
    node = slicer.vtkMRMLSliceLogic.GetSliceNode(composite)
    return None if node is None else node.GetID()


def _plane_of(composite) -> str:
    node = slicer.vtkMRMLSliceLogic.GetSliceNode(composite)
    return "" if node is None else _nearest_plane(node)


def _nearest_plane(slice_node) -> str:
    normal = np.abs([slice_node.GetSliceToRAS().GetElement(row, 2) for row in range(3)])
    return ("Sagittal", "Coronal", "Axial")[int(normal.argmax())]
