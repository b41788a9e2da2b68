"""Pictures of a result: sources and fused volume in three planes, overlay, and 3-D."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import slicer

from MedFusionLib.units import UNKNOWN
from MedFusionScene.display import set_layers
from MedFusionScene.nodes import volume_from_node
from MedFusionScene.offscreen import OffscreenWindow
from MedFusionScene.segmentations import segmentation_from_node
from MedFusionScene.show import ResultNodes
from MedFusionScene.slice_view import Place, SliceView
from MedFusionScene.volume_view import VolumeView

ORIENTATIONS = ("Axial", "Sagittal", "Coronal")
TILE_PIXELS = 400
_MARGIN = 1.06
_VIEW_FROM = (0.45, 0.85, 0.28)


def draw_pictures(nodes: ResultNodes, scene, application_logic, rendering_logic, folder: str | Path) -> list[Path]:
    """Draw all pictures of a result as PNG.

    Parameters
    ----------
    nodes : ResultNodes
        The result in the scene.
    scene : vtkMRMLScene
        The scene.
    application_logic, rendering_logic
        Of Slicer or of the headless application.
    folder : path
        An existing folder.

    Returns
    -------
    list of Path
        ``views.png`` (sources and fused volume in three planes), ``overlay.png`` (two layers, half
        opacity) and, with a tumour, ``tumour_3d.png``.
    """
    folder = Path(folder)
    columns = _columns(nodes)
    drawn = [_grid(columns, nodes, scene, application_logic, folder / "views.png")]
    if nodes.functional is not None and len(nodes.sources) > 1:
        overlay = [("0.5 opacity: " + _caption(nodes.sources[nodes.functional]), _overlay(nodes))]
        drawn.append(_grid(overlay, nodes, scene, application_logic, folder / "overlay.png", across=True))
    if nodes.segmentation is not None:
        drawn.append(_body(nodes, scene, application_logic, rendering_logic, folder / "tumour_3d.png"))
    return drawn


def _columns(nodes: ResultNodes) -> list[tuple[str, Callable]]:
    """Captions, and what puts the volumes into a view's layers."""
    columns = [(_caption(node), lambda composite, node=node: set_layers(composite, node)) for node in nodes.sources]
    words = "fused: hue = functional, brightness = fused" if nodes.colour else "fused (index 0..1)"
    return [*columns, (words, lambda composite: set_layers(composite, nodes.main))]


def _overlay(nodes: ResultNodes) -> Callable:
    functional = nodes.sources[nodes.functional]
    anatomical = next(node for n, node in enumerate(nodes.sources) if n != nodes.functional)
    return lambda composite: set_layers(composite, anatomical, functional, 0.5)


def _grid(columns: Sequence, nodes, scene, application_logic, path: Path, *, across: bool = False) -> Path:
    """One view per column and plane; `across` puts the planes side by side instead of below each other."""
    wide, high = (len(ORIENTATIONS), len(columns)) if across else (len(columns), len(ORIENTATIONS))
    window = OffscreenWindow(wide * TILE_PIXELS, high * TILE_PIXELS)
    centre, through, height = _framing(nodes)
    views = []
    for number, (caption, fill) in enumerate(columns):
        for plane, orientation in enumerate(ORIENTATIONS):
            x, y = (plane, number) if across else (number, plane)
            place = Place(x / wide, 1 - (y + 1) / high, (x + 1) / wide, 1 - y / high)
            view = SliceView(application_logic, scene, window.window, place, f"{path.stem}-{x}-{y}", orientation)
            fill(view.composite)
            view.look_at(centre, through, height)
            view.annotate(caption if plane == 0 else "", footer="research use only" if plane == 2 else "")
            views.append(view)
    window.save(path)
    for view in views:
        view.close()
        scene.RemoveNode(view.composite)
        scene.RemoveNode(view.node)
    window.close()
    return path


def _body(nodes: ResultNodes, scene, application_logic, rendering_logic, path: Path) -> Path:
    window = OffscreenWindow(2 * TILE_PIXELS, 2 * TILE_PIXELS)
    view = VolumeView(application_logic, scene, window.window, Place(0, 0, 1, 1))
    view.show_volume(nodes.fused, rendering_logic)
    centre, _, height = _framing(nodes)
    window.window.Render()
    view.look_from(_VIEW_FROM, centre, 2.1 * height)
    window.save(path)
    view.close()
    scene.RemoveNode(view.node)
    window.close()
    return path


def _framing(nodes: ResultNodes) -> tuple[np.ndarray, np.ndarray, float]:
    """Centre of the fused volume's foreground, the point to cut through, and the height to show in mm."""
    volume = volume_from_node(nodes.fused, modality="OT", unit=UNKNOWN)
    bright = np.argwhere(volume.array > 0.1)[:, ::-1]
    corners = volume.geometry.corners_ras() if len(bright) == 0 else volume.geometry.to_ras(bright)
    low, high = np.percentile(corners, (0.5, 99.5), axis=0)
    centre, through = (low + high) / 2, (low + high) / 2
    if nodes.segmentation is not None:
        lesion = segmentation_from_node(nodes.segmentation)
        through = lesion.geometry.to_ras(np.argwhere(lesion.labels > 0)[:, ::-1]).mean(axis=0)
    return centre, through, float((high - low).max()) * _MARGIN + 10


def _caption(node) -> str:
    """Name, unit and window of a volume."""
    display = node.GetDisplayNode()
    low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
    entry = node.GetVoxelValueUnits()
    unit = entry.GetCodeMeaning() if entry and entry.GetCodeMeaning() else "unit unknown"
    return f"{node.GetName()} [{low:.3g}..{high:.3g} {unit}]"


def default_logics() -> tuple:
    """Application and volume rendering logic of the running 3D Slicer."""
    return slicer.app.applicationLogic(), slicer.modules.volumerendering.logic()
