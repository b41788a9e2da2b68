"""Pictures of a result: sources and fused volume in three planes, overlay, and 3-D."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slicer

from MedFusionLib.units import ARBITRARY, UNKNOWN
from MedFusionScene.display import set_layers
from MedFusionScene.nodes import volume_from_node
from MedFusionScene.offscreen import save_png, tile
from MedFusionScene.result_nodes import ResultNodes
from MedFusionScene.segmentations import segmentation_from_node
from MedFusionScene.slice_view import SliceView
from MedFusionScene.volume_view import VolumeView

ORIENTATIONS = ("Axial", "Sagittal", "Coronal")
TILE_PIXELS = 400
_MARGIN = 1.06
_VIEW_FROM = (0.45, 0.85, 0.28)


@dataclass(frozen=True, eq=False)
class _Column:
    """What is shown in three planes below each other."""

    caption: str
    background: object
    foreground: object = None
    legend: object = None


@dataclass(frozen=True, eq=False)
class _Framing:
    """Where the views look: centre, a point to cut through (RAS in mm), and the height to show."""

    centre: np.ndarray
    through: np.ndarray
    height_mm: float


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
    framing = _framing(nodes)
    columns = [_views(c, n, framing, scene, application_logic) for n, c in enumerate(_columns(nodes))]
    drawn = [save_png(tile(list(zip(*columns))), folder / "views.png")]
    if nodes.functional is not None:
        overlay = _views(_overlay(nodes), len(columns), framing, scene, application_logic)
        drawn.append(save_png(tile([overlay]), folder / "overlay.png"))
    if nodes.segmentation is not None:
        body = _body(nodes, framing, scene, application_logic, rendering_logic)
        drawn.append(save_png(body, folder / "tumour_3d.png"))
    return drawn


def _columns(nodes: ResultNodes) -> list[_Column]:
    """The sources, each alone, and the fused volume."""
    sources = [_Column(_caption(node), node, legend=_with_real_unit(node)) for node in nodes.sources]
    words = "fused: hue = functional, brightness = fused" if nodes.colour else "fused (index 0..1)"
    return [*sources, _Column(words, nodes.main, legend=None)]


def _overlay(nodes: ResultNodes) -> _Column:
    """Anatomy and function in two layers."""
    functional = nodes.sources[nodes.functional]
    anatomical = next(node for n, node in enumerate(nodes.sources) if n != nodes.functional)
    return _Column("two layers, opacity 0.5", anatomical, foreground=functional, legend=_with_real_unit(functional))


def _views(column: _Column, number: int, framing: _Framing, scene, application_logic) -> list:
    """Pictures of one column in three planes."""
    drawn = []
    for plane, orientation in enumerate(ORIENTATIONS):
        name = f"MedFusion-{number}-{orientation}"
        view = SliceView(application_logic, scene, (TILE_PIXELS, TILE_PIXELS), name, orientation)
        set_layers(view.composite, column.background, column.foreground, 0.5)
        view.look_at(framing.centre, framing.through, framing.height_mm)
        view.annotate(column.caption if plane == 0 else "", footer="research use only" if plane == 2 else "")
        if column.legend is not None and plane == 0:
            view.add_legend(column.legend, _unit_of(column.legend))
        drawn.append(view.picture())
        view.close()
    return drawn


def _body(nodes: ResultNodes, framing: _Framing, scene, application_logic, rendering_logic):
    """The tumour's surface in the see-through fused volume."""
    view = VolumeView(application_logic, scene, (2 * TILE_PIXELS, 2 * TILE_PIXELS))
    view.show_volume(nodes.fused, rendering_logic)
    view.picture()  # the managers set up the camera while they draw for the first time
    view.look_from(_VIEW_FROM, framing.centre, 2.1 * framing.height_mm)
    drawn = view.picture()
    view.close()
    return drawn


def _framing(nodes: ResultNodes) -> _Framing:
    """Centre of the fused volume's foreground, the point to cut through, and the height to show in mm."""
    volume = volume_from_node(nodes.fused, modality="OT", unit=UNKNOWN)
    bright = np.argwhere(volume.array > 0.1)[:, ::-1]
    corners = volume.geometry.corners_ras() if len(bright) == 0 else volume.geometry.to_ras(bright)
    low, high = np.percentile(corners, (0.5, 99.5), axis=0)
    centre, through = (low + high) / 2, (low + high) / 2
    if nodes.segmentation is not None:
        lesion = segmentation_from_node(nodes.segmentation)
        through = lesion.geometry.to_ras(np.argwhere(lesion.labels > 0)[:, ::-1]).mean(axis=0)
    return _Framing(centre, through, float((high - low).max()) * _MARGIN + 10)


def _caption(node) -> str:
    """Name, window and unit of a volume."""
    display = node.GetDisplayNode()
    low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
    return f"{node.GetName()} ({low:.3g} to {high:.3g} {_unit_of(node)})"


def _unit_of(node) -> str:
    entry = node.GetVoxelValueUnits()
    return entry.GetCodeMeaning() if entry and entry.GetCodeMeaning() else UNKNOWN.meaning


def _with_real_unit(node):
    """The node when its values mean something (SUV, HU), else None."""
    return node if _unit_of(node) not in (UNKNOWN.meaning, ARBITRARY.meaning) else None


def default_logics() -> tuple:
    """Application and volume rendering logic of the running 3D Slicer."""
    return slicer.app.applicationLogic(), slicer.modules.volumerendering.logic()
